"""The faults that are tried, each with a name, and hands that do them at random moments."""

import fcntl
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.chaos.scene import Hand, Run, Scene
from tests.chaos.stub import OPTIONS
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


def gateway_with(
    surroundings: Callable[[Scene], AbstractContextManager[dict[str, Any]]],
) -> Inflict:
    """Another gateway, whose surroundings are broken: it serves and ends as if they were not."""

    @contextmanager
    def inflict(scene: Scene, chance: random.Random) -> Iterator[None]:
        with scene.hold_gateway:
            code = scene.gateway.terminate()
            assert code == 0, f"after SIGTERM the gateway ended with {code}"
            with surroundings(scene) as broken:
                yield
                assert _is_well(scene.gateway.address), f"with {broken} it is not SERVING"
                code = scene.gateway.terminate()
                assert code == 0, f"with {broken} the gateway ended with {code}"
            scene.gateway.start()

    return inflict


def _is_well(address: str) -> bool:
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@contextmanager
def stderr_reader_gone(scene: Scene) -> Iterator[dict[str, Any]]:
    """Standard error is a pipe whose reader goes away."""
    reader, writer = os.pipe()
    scene.gateway.start(stderr=writer)
    os.close(writer)
    os.close(reader)
    yield {"stderr": "a pipe without a reader"}


@contextmanager
def stderr_unread(scene: Scene) -> Iterator[dict[str, Any]]:
    """Standard error is a pipe that is full at once, and nobody reads it."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    scene.gateway.start(stderr=writer)
    os.close(writer)
    yield {"stderr": "a pipe that nobody reads"}
    os.close(reader)


@contextmanager
def stderr_disk_full(scene: Scene) -> Iterator[dict[str, Any]]:
    """No line of the log can be written."""
    with Path("/dev/full").open("wb") as full:
        scene.gateway.start(stderr=full.fileno())
    yield {"stderr": "a full disk"}


@contextmanager
def all_logs_disk_full(scene: Scene) -> Iterator[dict[str, Any]]:
    """Nor can one of the audit log, which is on the same disk."""
    with stderr_disk_full(scene) as broken:
        scene.redirect_audit(Path("/dev/full"))
        yield {**broken, "audit log": "a full disk"}
    scene.redirect_audit(scene.audit_file, reopen=False)


@contextmanager
def traces_receiver_hangs(scene: Scene) -> Iterator[dict[str, Any]]:
    """Whoever gets traces takes the connection, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        scene.gateway.start(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_BSP_SCHEDULE_DELAY="100")
        yield {"traces": "a receiver that hangs"}


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
OF_SURROUNDINGS = tuple(
    Fault(name, gateway_with(broken), own=STOPPED, hold=(1.0, 1.5))
    for name, broken in (
        ("stderr's reader gone", stderr_reader_gone),
        ("stderr's disk full", stderr_disk_full),
        ("stderr an unread pipe", stderr_unread),
        ("audit log on stderr's full disk", all_logs_disk_full),
        ("traces' receiver hangs", traces_receiver_hangs),
    )
)
FORGETTING = (Fault("provider killed (SIGKILL), all forgotten", provider_killed, pause=(0.8, 1.5)),)
ALL = (*ON_THE_WAYS, *OF_THE_PROVIDER, *OF_PROCESSES, *OF_SURROUNDINGS, *FORGETTING)


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
