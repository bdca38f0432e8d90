"""The faults that are tried, each with a name, and hands that do them at random moments."""

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.chaos.scene import Hand, Run, Scene
from tests.chaos.toxiproxy import Proxy, Stream

Way: TypeAlias = Callable[[Scene], Proxy]
Inflict: TypeAlias = Callable[[Scene, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong for as long as the context of `inflict` is open."""

    name: str
    inflict: Inflict
    own: frozenset[str] = frozenset()
    """What gRPC itself may tell callers, where the gateway's word cannot reach them."""
    hold: tuple[float, float] = (0.1, 0.6)
    """For how many seconds, at least and at most."""
    pause: tuple[float, float] = (0.05, 0.4)
    """How many seconds until the next one, at least and at most."""


def callers_way(scene: Scene) -> Proxy:
    """The way between the callers and the gateway."""
    return scene.callers_way


def provider_way(scene: Scene) -> Proxy:
    """The way between the gateway and the provider."""
    return scene.provider_way


def toxic(way: Way, kind: str, **attributes: tuple[int, int]) -> Inflict:
    """A toxic of toxiproxy's, in a random direction; its attributes are from these ranges."""

    @contextmanager
    def inflict(scene: Scene, chance: random.Random) -> Iterator[None]:
        proxy = way(scene)
        chosen = {name: chance.randint(*most) for name, most in attributes.items()}
        direction: Stream = chance.choice(("upstream", "downstream"))
        name = proxy.add(kind, stream=direction, **chosen)
        yield
        proxy.remove(name)

    return inflict


def closed(way: Way) -> Inflict:
    """Nobody listens any more, and all connections are closed."""

    @contextmanager
    def inflict(scene: Scene, chance: random.Random) -> Iterator[None]:
        way(scene).enable(enabled=False)
        yield
        way(scene).enable(enabled=True)

    return inflict


def provider_does(*faults: dict[str, Any]) -> Inflict:
    """One of the sandbox's faults befalls the next few requests."""

    @contextmanager
    def inflict(scene: Scene, chance: random.Random) -> Iterator[None]:
        with scene.hold_sandbox:
            scene.account.fault(**{"times": chance.randint(1, 4), **chance.choice(faults)})
        yield
        with scene.hold_sandbox:
            scene.account.heal()

    return inflict


@contextmanager
def gateway_killed(scene: Scene, chance: random.Random) -> Iterator[None]:
    """SIGKILL, and a new one at the same address."""
    with scene.hold_gateway:
        scene.gateway.kill()
        yield
        scene.gateway.start()


@contextmanager
def gateway_restarted(scene: Scene, chance: random.Random) -> Iterator[None]:
    """SIGTERM, and a new one when it has ended."""
    with scene.hold_gateway:
        code = scene.gateway.terminate()
        assert code == 0, f"after SIGTERM the gateway ended with {code}"
        yield
        scene.gateway.start()


@contextmanager
def gateway_frozen(scene: Scene, chance: random.Random) -> Iterator[None]:
    """It gets no time of any processor, as on a machine that swaps or migrates."""
    with scene.hold_gateway:
        scene.gateway.signal(signal.SIGSTOP)
        yield
        scene.gateway.signal(signal.SIGCONT)


@contextmanager
def provider_frozen(scene: Scene, chance: random.Random) -> Iterator[None]:
    """Connections are taken, and nothing is answered."""
    with scene.hold_sandbox:
        scene.sandbox.signal(signal.SIGSTOP)
        yield
        scene.sandbox.signal(signal.SIGCONT)


@contextmanager
def provider_killed(scene: Scene, chance: random.Random) -> Iterator[None]:
    """SIGKILL, and a new one at the same address, which has forgotten all."""
    with scene.hold_sandbox:
        scene.sandbox.kill()
        yield
        scene.sandbox.start()
        scene.furnish()


@contextmanager
def audit_disk_full(scene: Scene, chance: random.Random) -> Iterator[None]:
    """The audit log cannot be written: its disk is full, and has room again later."""
    with scene.hold_gateway:
        scene.redirect_audit(Path("/dev/full"))
    yield
    with scene.hold_gateway:
        scene.redirect_audit(scene.audit_file)


BROKEN = frozenset({"UNAVAILABLE"})
# gRPC's server ends calls so that arrive in its very last moment; the gateway never sees them.
STOPPED = BROKEN | {"CANCELLED"}
UPLOADS, BATCHES = "*/files", "*/batches"
LOST: tuple[dict[str, Any], ...] = tuple(
    {"kind": kind, "method": "POST", "path": path, "process": True}
    for kind in ("reset", "hang")
    for path in (UPLOADS, BATCHES)
)
REFUSING = (
    {"kind": "answer", "status": 429, "headers": {"retry-after": "1"}},
    {"kind": "answer", "status": 429, "headers": {"retry-after-ms": "200"}},
    {"kind": "answer", "status": 503},
    {"kind": "answer", "status": 500},
    {"kind": "answer", "status": 408},
)
# A file's content may be anything: to a look at it these would be the file.
NO_CONTENT = {"kind": "answer", "path_regex": r".*(?<!/content)"}
ODD = (
    {**NO_CONTENT, "status": 200, "body": "<html>Sorry</html>"},
    # To a DELETE it would be a lie: a success of which nothing was done.
    {**NO_CONTENT, "status": 200, "body": {}, "method": "GET"},
    {**NO_CONTENT, "status": 200, "body": {}, "method": "POST"},
    {"kind": "answer", "status": 502, "body": "<html>Bad gateway</html>"},
    {"kind": "answer", "status": 401},
)
LATENCY: dict[str, tuple[int, int]] = {"latency": (20, 300), "jitter": (0, 50)}

ON_THE_WAYS = tuple(
    Fault(
        f"{name} {between}", make(way), own=BROKEN if way is callers_way and breaks else frozenset()
    )
    for way, between in (
        (callers_way, "between callers and gateway"),
        (provider_way, "between gateway and provider"),
    )
    for name, breaks, make in (
        ("latency", False, lambda way: toxic(way, "latency", **LATENCY)),
        ("low bandwidth", False, lambda way: toxic(way, "bandwidth", rate=(100, 2000))),
        ("slices", False, lambda way: toxic(way, "slicer", average_size=(50, 500), delay=(10, 50))),
        ("reset", True, lambda way: toxic(way, "reset_peer", timeout=(0, 200))),
        ("slow close", True, lambda way: toxic(way, "slow_close", delay=(100, 1000))),
        ("silence, then closed", True, lambda way: toxic(way, "timeout", timeout=(50, 1000))),
        ("cut after N bytes", True, lambda way: toxic(way, "limit_data", bytes=(1, 300_000))),
        ("connection refused", True, closed),
    )
)
OF_THE_PROVIDER = (
    Fault("provider refuses (429, 5xx, 408)", provider_does(*REFUSING)),
    Fault("provider answers oddly (HTML, 401, {})", provider_does(*ODD)),
    Fault("answers to creations lost", provider_does(*LOST)),
    Fault("provider resets", provider_does({"kind": "reset", "read_bytes": 1000})),
    Fault("answers cut off", provider_does({"kind": "cut"}, {"kind": "cut", "send_bytes": 5})),
    Fault("provider hangs", provider_does({"kind": "hang"})),
    Fault(
        "provider refuses early",
        provider_does(
            {"kind": "early", "status": 413, "method": "POST", "path": UPLOADS},
            {"kind": "early", "status": 401, "method": "POST", "path": UPLOADS},
        ),
    ),
    Fault(
        "provider reads slowly", provider_does({"kind": "slow_read", "bytes_per_second": 300_000})
    ),
    Fault(
        "provider sends slowly", provider_does({"kind": "slow_send", "bytes_per_second": 100_000})
    ),
    Fault("provider frozen (SIGSTOP)", provider_frozen),
)
OF_PROCESSES = (
    Fault("gateway killed (SIGKILL)", gateway_killed, own=BROKEN, pause=(0.5, 1.5)),
    Fault("gateway restarted (SIGTERM)", gateway_restarted, own=STOPPED, pause=(0.5, 1)),
    Fault("gateway frozen (SIGSTOP)", gateway_frozen),
    Fault("audit log's disk full", audit_disk_full, hold=(0.3, 1.0)),
)
FORGETTING = (Fault("provider killed (SIGKILL), all forgotten", provider_killed, pause=(0.8, 1.5)),)
ALL = (*ON_THE_WAYS, *OF_THE_PROVIDER, *OF_PROCESSES, *FORGETTING)


def hand(faults: Sequence[Fault], *, seed: str) -> Hand:
    """Does one of the faults after the other, until the time is over."""

    def work(scene: Scene, run: Run, until: float) -> None:
        chance = random.Random(seed)
        run.own_statuses |= {one for fault in faults for one in fault.own}
        while True:
            fault = chance.choice(faults)
            time.sleep(chance.uniform(*fault.pause))
            if time.monotonic() > until:
                return
            run.inflicted[fault.name] += 1
            with fault.inflict(scene, chance):
                time.sleep(chance.uniform(*fault.hold))

    return work
