"""What callers, limits and the audit log take. `python -m tests.benchmarks.trust`; needs h2load.

Two gateways on one core take turns with the same calls: one knows a hundred callers with all limits
set and writes an audit log, the other one nobody. Compared is the CPU time of a call, pair by pair:
GetBatch, which is looked at but not recorded, and CancelBatch, each of which is a record.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import processes, unary
from tests.benchmarks.figures import Figure, say, table

CALLERS = 8
OTHERS = 100
WARM_UP = 500
TOKEN = "bg_benchmark"
METHODS = {name: f"/batchgate.v1.BatchService/{name}" for name in ("GetBatch", "CancelBatch")}
PROFILE = """
[providers.openai]
kind = "openai"
api_key = {{ env = "OPENAI_API_KEY" }}
base_url = "{provider}"
"""
CALLER = """
[callers.team-{number}]
token_sha256 = ["{digest}"]
providers = ["openai"]
allow = ["batches.read", "batches.cancel"]
models = ["gpt-4o-mini"]
max_calls = 1000
max_uploads = 10
max_watches = 100
calls_per_second = 1000000
bytes_per_day = 1000000000
"""


def configuration(provider: str, audit: Path | None) -> str:
    """The configuration with all there is to check, or none of it."""
    profile = PROFILE.format(provider=provider)
    if audit is None:
        return profile
    tokens = [TOKEN, *(f"{TOKEN}-{number}" for number in range(OTHERS))]
    callers = (
        CALLER.format(number=number, digest=hashlib.sha256(token.encode()).hexdigest())
        for number, token in enumerate(tokens)
    )
    return profile + "".join(callers) + f'[audit]\nfile = "{audit}"\n'


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """The costs of both, and what part of its rate the one that checks keeps."""
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    if not loader or not nginx:
        say("  (left out: it needs h2load and nginx; apt install nghttp2-client nginx-light)")
        return
    with ExitStack() as stack:
        audit = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "audit"
        provider = stack.enter_context(
            processes.nginx_provider(nginx, unary.BATCH, core=unary.OTHERS_CORE)
        )
        pair = [
            stack.enter_context(
                processes.gateway(
                    provider,
                    core=unary.GATEWAY_CORE,
                    configuration=configuration(provider, file),
                )
            )
            for file in (audit, None)
        ]
        costs = compared(loader, pair, repeats=repeats, calls=calls)
        if audit.read_bytes().count(b"CancelBatch") != WARM_UP + repeats * calls:
            sys.exit("not all calls are in the audit log: no figures")
    for name, (checked, bare) in costs.items():
        yield Figure(f"{name}, with checks", "CPU us", checked)
        yield Figure(f"{name}, without checks", "CPU us", bare)
        kept = [without / own * 100 for own, without in zip(checked, bare, strict=True)]
        yield Figure(f"{name}, rate kept", "%", kept, at_least=85)


def compared(
    loader: str, pair: list[processes.Gateway], *, repeats: int, calls: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Microseconds of CPU time a call, by method, for each gateway of a pair in turns."""
    costs: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in METHODS}
    for gateway in pair:
        for name in METHODS:
            cost(loader, gateway, name, calls=WARM_UP)
    for turn in range(repeats):
        for place in (0, 1) if turn % 2 else (1, 0):
            for name, own in costs.items():
                own[place].append(cost(loader, pair[place], name, calls=calls))
    for gateway in pair:
        if gateway.calls_logged_ok() != (WARM_UP + repeats * calls) * len(METHODS):
            sys.exit("some calls did not end with gRPC status 0: no figures")
    return costs


def cost(loader: str, gateway: processes.Gateway, name: str, *, calls: int) -> float:
    """Microseconds of CPU time that each of some calls takes."""
    spent = gateway.cpu_seconds()
    durations, _ = unary.h2load(
        loader,
        gateway.address,
        callers=CALLERS,
        calls=calls,
        method=METHODS[name],
        headers=[f"authorization: Bearer {TOKEN}"],
    )
    return (gateway.cpu_seconds() - spent) / len(durations) * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--calls", type=int, default=3000)
    options = parser.parse_args()
    shown = list(table("Trust", figures(repeats=options.repeats, calls=options.calls)))
    sys.exit(any(one.verdict == "missed" for one in shown))
