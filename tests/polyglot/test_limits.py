"""Forty watches at once of a gateway that lets ten calls a second begin, killed and started again: all go on."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1.batch_service_pb2_grpc import BatchServiceStub
from batchgate_sandbox.server import SandboxServer
from tests.chaos.ports import fixed_port
from tests.chaos.processes import eventually
from tests.conftest import tls
from tests.polyglot.lives import mortal_gateway
from tests.polyglot.programs import PROGRAMS, Program, build, one_step, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WATCHES, SECONDS = 40, 120.0
LIMITS = "\n[limits]\ncalls_per_second = 10\n"


def stalled_batch(stub: BatchServiceStub) -> str:
    """A batch that does not end until it is cancelled."""
    metadata = pb.SubmitBatchMetadata(
        endpoint="/v1/chat/completions", model="m", metadata={"sandbox_outcome": "stalled"}
    )
    line = pb.BatchLine(custom_id="a", body_json='{"messages": []}')
    messages = [
        pb.SubmitBatchRequest(metadata=metadata),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[line])),
    ]
    return stub.SubmitBatch(iter(messages), timeout=SECONDS).batch.id


def watchers(admin: str) -> Callable[[], bool]:
    """Whether all watches are under way."""

    def all_watch() -> bool:
        try:
            told = httpx.get(f"http://{admin}/metrics", verify=tls()).text
        except httpx.TransportError:
            return False
        found = re.search(r'^batchgate_watchers\{provider="openai"\} ([\d.]+)', told, re.MULTILINE)
        return found is not None and float(found[1]) == WATCHES

    return all_watch


def cancelled(stub: BatchServiceStub, batch: str) -> bool:
    """Asks for the batch's end; false where the gateway has no room for the call."""
    try:
        stub.CancelBatch(pb.CancelBatchRequest(batch_id=batch), timeout=SECONDS)
    except grpc.RpcError:
        return False
    return True


@pytest.mark.parametrize(
    "program",
    [one for one in PROGRAMS if "WatchMany" not in one.cannot],
    ids=lambda program: program.name,
)
def test_forty_watches_go_on(program: Program, sandbox: SandboxServer, tmp_path: Path) -> None:
    build(program)
    admin = f"127.0.0.1:{fixed_port()}"
    gateway = mortal_gateway(
        *(sandbox.url, tmp_path, "--admin", admin),
        key=f"sk-{uuid.uuid4().hex}",
        configuration=LIMITS,
    )
    try:
        gateway.start()
        with grpc.insecure_channel(gateway.address) as channel:
            stub = BatchServiceStub(channel)
            batch = stalled_batch(stub)
            args = {"provider": "openai", "batch_id": batch, "count": WATCHES}
            step = {"op": "WatchMany", "args": args, "timeout_seconds": 2 * SECONDS}
            run = one_step(step, address=gateway.address)
            with started(program, run, tmp_path) as process:
                try:
                    assert eventually(watchers(admin), seconds=SECONDS)
                    gateway.kill()
                    gateway.start()
                    assert eventually(watchers(admin), seconds=SECONDS)
                    assert eventually(lambda: cancelled(stub, batch), seconds=SECONDS)
                    told, errors = process.communicate(timeout=SECONDS)
                finally:
                    process.kill()
        assert f'"count":{WATCHES}' in told.decode().replace(" ", ""), (told, errors)
    finally:
        gateway.close()
