"""The whole: callers, a proxy, the gateway, a proxy, the provider; what is done to it, and the look at it.

Seen from a run: `with Scene(directory) as scene: scene.run(seed, plan)`.
"""

import itertools
import re
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tests.chaos.callers import Caller, World
from tests.chaos.checker import Verdict, at_rest, check
from tests.chaos.journal import Journal
from tests.chaos.ports import fixed_port
from tests.chaos.processes import Gateway, Sandbox, Vitals, eventually
from tests.chaos.stub import Stub
from tests.chaos.toxiproxy import toxiproxy
from tests.chaos.truth import Account, Truth

CALLERS = 6
STEP_SECONDS = 0.05
SETTLE_SECONDS = 20.0
CONFIGURATION = """
default_provider = "openai"

[providers.openai]
kind = "openai"
base_url = "http://{provider}/v1"
api_key = {{ file = "{key_file}" }}
connect_timeout_seconds = 1
timeout_seconds = 4
idle_timeout_seconds = 3

[providers.azure]
kind = "azure_openai"
endpoint = "http://{provider}"
api_key = {{ file = "{key_file}" }}
connect_timeout_seconds = 1
timeout_seconds = 4
idle_timeout_seconds = 3

[watch]
first_poll_seconds = 0.1
slowest_poll_seconds = 0.3
heartbeat_seconds = 1

[server]
shutdown_grace_seconds = 5
drain_delay_seconds = {drain_delay}

[audit]
file = "{audit}"
"""


def configured(*, provider: str, key_file: Path, audit: Path, drain_delay: float = 0) -> str:
    """The configuration of a gateway whose providers are at `provider`, a `host:port`.

    `drain_delay` is in seconds.
    """
    return CONFIGURATION.format(
        provider=provider, key_file=key_file, audit=audit, drain_delay=drain_delay
    )


@dataclass
class Run:
    """What a run was, and what came of it."""

    name: str
    seed: str
    journal: Journal
    own_statuses: set[str] = field(default_factory=set)
    """What gRPC itself may have told callers."""
    inflicted: Counter[str] = field(default_factory=Counter)
    truth: Truth = field(default_factory=lambda: Truth([], []))
    verdict: Verdict = field(default_factory=Verdict)


Hand: TypeAlias = Callable[["Scene", Run, float], None]
"""Does faults until a time of the monotonic clock."""


class Scene:
    """All processes, from start to end of the block."""

    def __init__(self, directory: Path, *, more: str = "") -> None:
        """`more` is added to the gateway's configuration."""
        self.directory = directory
        self._stack = ExitStack()
        self.key = f"sk-{uuid.uuid4().hex}"
        self._key_file = directory / "key"
        self._key_file.write_text(self.key)
        self.audit_file = directory / "audit.log"
        self._audit = directory / "audit"
        self._audit.symlink_to(self.audit_file)
        self.provider_port = fixed_port()
        configuration = configured(
            provider=f"127.0.0.1:{self.provider_port}", key_file=self._key_file, audit=self._audit
        )
        self.sandbox = Sandbox(directory)
        self.gateway = Gateway(directory, configuration=configuration + more)
        self.idle: Vitals | None = None
        """What the gateway holds after a first run without faults."""
        # Two hands may want the same process to die.
        self.hold_gateway, self.hold_sandbox = threading.Lock(), threading.Lock()
        self._numbers = itertools.count(1)
        self._earlier: set[str] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for process in (self.sandbox, self.gateway):
                stack.callback(process.close)
                process.start()
            self.account = Account(self.sandbox.url, self.key)
            # Its account may be another one by then.
            stack.callback(lambda: self.account.close())  # noqa: PLW0108
            log = self.directory / "toxiproxy.log"
            self.proxies = stack.enter_context(toxiproxy(port=fixed_port(), log=log))
            self.provider_way = self.proxies.proxy(
                "provider", listen=f"127.0.0.1:{self.provider_port}", server=self.sandbox.address
            )
            self.callers_way = self.proxies.proxy(
                "callers", listen=f"127.0.0.1:{fixed_port()}", server=self.gateway.address
            )
            self.furnish()
            self._stack = stack.pop_all()
        self.warm_up = self.run("no fault", seed="warm-up", seconds=1.5)
        self.idle = self.gateway.vitals()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def furnish(self) -> None:
        """Make a sandbox that has just begun to live ready for callers."""
        self.account.settings(
            step_seconds=STEP_SECONDS, file_pending_seconds=STEP_SECONDS, max_batch_files=10**6
        )

    def renew_account(self) -> None:
        """Let the gateway go on with another key, that of an account that has nothing yet."""
        self.key = f"sk-{uuid.uuid4().hex}"
        self._key_file.write_text(self.key)
        self.account.close()
        self.account = Account(self.sandbox.url, self.key)
        self.furnish()
        self.gateway.signal(signal.SIGHUP)
        stub = Stub(self.gateway.address, Journal())

        def known() -> bool:
            stub.health()
            return self.account.asked()

        assert eventually(known, seconds=SETTLE_SECONDS)
        stub.close()

    def run(
        self, name: str, *hands: Hand, seed: str, seconds: float, think_seconds: float = 0
    ) -> Run:
        """Let callers work for so many seconds while each hand does its worst, and look at it all.

        When the time is over all is healed, and callers finish what they have begun.
        """
        run = self.begin(name, seed=seed)
        world = World(think_seconds=think_seconds)
        stubs = [Stub(self.callers_way.address, run.journal) for _ in range(CALLERS)]
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(max_workers=len(stubs) + len(hands)) as pool:
            # The seed is no request_id: a scene may play one twice.
            mark = f"{uuid.uuid4().hex[:8]}-"
            callers = [
                pool.submit(Caller(stub, world, seed=f"{seed}/{number}", mark=mark).work)
                for number, stub in enumerate(stubs)
            ]
            working = [pool.submit(hand, self, run, until) for hand in hands]
            try:
                wait(working)
                time.sleep(max(0.0, until - time.monotonic()))
                self.heal()
            finally:
                world.all_is_well()
            for each in (*working, *callers):
                each.result()
        for stub in stubs:
            stub.close()
        self.look(run)
        return run

    def redirect_audit(self, target: Path, *, reopen: bool = True) -> None:
        """Let the gateway's audit log go to another file, with its next start or at once."""
        new = self._audit.with_suffix(".new")
        new.symlink_to(target)
        new.replace(self._audit)
        if reopen:
            self.gateway.signal(signal.SIGHUP)

    def log_of(self, text: str) -> list[str]:
        """What the gateway's log has of the calls that a text names."""
        calls = set(re.findall(r"attempt-\d+", text))
        lines = self.gateway.log.read_text(errors="replace").splitlines()
        return [line for line in lines if calls & set(re.findall(r"attempt-\d+", line))]

    def heal(self) -> None:
        """End all that could still go wrong."""
        self.proxies.heal()
        self.account.heal()

    def begin(self, name: str, *, seed: str = "") -> Run:
        """A run whose journal is written from here on."""
        self.account.forget()
        journal = Journal(numbers=self._numbers, provider_lives=lambda: self.sandbox.lives)
        return Run(name, seed, journal)

    def look(self, run: Run) -> None:
        """Wait until all is at rest, and hold the run against what the provider has."""
        left: list[str] = []

        def resting() -> bool:
            left[:] = at_rest(self.idle, self.gateway.vitals()) if self.idle else []
            left.extend(["requests at the provider"] if self.account.busy() else [])
            return not left

        rests = eventually(resting, seconds=SETTLE_SECONDS)
        run.truth = self.account.truth(but=self._earlier)
        self._earlier |= run.truth.ids()
        run.verdict = check(run.journal, run.truth, own_statuses=run.own_statuses)
        run.verdict.look("at rest", holds=rests, or_else=", ".join(left))
