"""batchgate beside what teams use instead, in turns on one machine: `python -m tests.benchmarks.peers`.

All stand before the same provider. It installs the peers below `build/peers` at first. Writes
`tests/benchmarks/RESULTS.md` and its picture.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from contextlib import ExitStack

from tests.benchmarks import processes
from tests.benchmarks.figures import say
from tests.benchmarks.peers import report, trees, work
from tests.benchmarks.peers.setups import DIRECT, PEERS, Peer, install, started
from tests.benchmarks.transfers import ANSWER
from tests.benchmarks.unary import BATCH

Values = dict[tuple[str, str], list[float]]
"""By the row's name and the peer's."""


def unary(values: Values, *, rounds: int, count: int) -> None:
    """Start, idle memory and calls, the peers in turns."""
    nginx = processes.tool("nginx")
    if not nginx or not processes.tool("h2load"):
        sys.exit("nginx and h2load are needed: apt install nginx-light nghttp2-client")
    with ExitStack() as stack:
        provider = stack.enter_context(
            processes.nginx_provider(nginx, BATCH, core=work.OTHERS_CORE)
        )
        for _ in range(rounds):
            for peer in (*PEERS, DIRECT):
                with processes.on_core(0), ExitStack() as running_one:
                    running = running_one.enter_context(started(peer, provider))
                    if running.process:
                        values["start, s", peer.name].append(running.start_seconds)
                        memory = trees.resident(running.process)
                        values["memory when idle, MiB", peer.name].append(memory)
                    if not work.answers_well(peer, running):
                        sys.exit(f"{peer.name} does not answer with the batch")
                    # A slow one need not be waited for as long.
                    share = 1 if peer.name != "LiteLLM proxy" else 10
                    work.calls(peer, running, callers=8, count=count // 5 // share)
                    for callers in work.CALLERS:
                        found = work.calls(peer, running, callers=callers, count=count // share)
                        row = f"get batch, {callers} at once"
                        values[f"{row}, calls/s", peer.name].append(found.rate)
                        values[f"{row}, p50 ms", peer.name].append(found.middle_ms)
                        values[f"{row}, p99 ms", peer.name].append(found.slowest_ms)
                say(f"  calls: {peer.name}")


def transfers(values: Values, *, rounds: int) -> None:
    """Uploads and downloads, the peers in turns."""
    with processes.canned_provider(ANSWER) as provider, work.big_file() as path:
        for _ in range(rounds):
            for peer in (*PEERS, DIRECT):
                for kind in ("upload", "download"):
                    for at_once in work.AT_ONCE:
                        _transfer(values, peer, provider, path, kind=kind, at_once=at_once)
                say(f"  transfers: {peer.name}")


def _transfer(
    values: Values, peer: Peer, provider: str, path: str, *, kind: str, at_once: int
) -> None:
    with started(peer, provider) as running:
        uploads = kind == "upload"
        command = work.upload(peer, running, path) if uploads else work.download(peer, running)
        well = work.uploaded if uploads else work.downloaded
        found = work.transfer(running, command, at_once=at_once, well=well)
    row = f"{kind} of 180 MB, {at_once} at once"
    values[f"{row}, MB/s", peer.name].append(found.rate)
    if peer != DIRECT:
        values[f"{row}, peak MiB", peer.name].append(found.peak)
        values[f"{row}, CPU s per GB", peer.name].append(found.cpu_per_gb)


def main() -> None:
    """Install, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round, and nothing is written")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    install()
    values: Values = defaultdict(list)
    unary(values, rounds=rounds, count=1000 if options.quick else 4000)
    transfers(values, rounds=rounds)
    medians = {key: statistics.median(found) for key, found in values.items()}
    text = report.table(medians)
    say(text)
    if not options.quick:
        report.write(medians, rounds=rounds)


if __name__ == "__main__":
    main()
