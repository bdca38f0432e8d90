"""Results of 25 and 60 MB, through the client of every language, with gRPC's own limits."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate.v1.batch_service_pb2_grpc import BatchServiceStub
from batchgate.v1.file_service_pb2_grpc import FileServiceStub
from batchgate_sandbox.server import SandboxServer
from tests.polyglot.programs import PROGRAMS, Program, one_step, started
from tests.polyglot.world import plain_gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 240.0
# In characters; as JSON in UTF-8 the larger one has 61 MB.
LENGTHS = {"large": 25_000_000, "larger": 54_000_000, "small": 10}
REPLY = 'a part of an image, and then (ä, 行, 🚀), one more, with "quotes" and \\ ' * 8


@dataclass(frozen=True)
class Finished:
    """A batch with such results, and what they are by the output file."""

    address: str
    id: str
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def batch(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """A gateway's, until the last test."""
    with (
        plain_gateway(sandbox.url, tmp_path_factory.mktemp("large")) as address,
        grpc.insecure_channel(address) as channel,
    ):
        stub = BatchServiceStub(channel)
        metadata = pb.SubmitBatchMetadata(endpoint="/v1/chat/completions", model="m")
        lines = [
            pb.BatchLine(
                custom_id=name,
                body_json=json.dumps(
                    {"messages": [], "sandbox": {"reply": REPLY, "reply_length": length}}
                ),
            )
            for name, length in LENGTHS.items()
        ]
        messages = [
            pb.SubmitBatchRequest(metadata=metadata),
            pb.SubmitBatchRequest(lines=pb.BatchLines(lines=lines)),
        ]
        made = stub.SubmitBatch(iter(messages), timeout=SECONDS).batch
        request = pb.WaitBatchRequest(batch_id=made.id)
        request.timeout.seconds = int(SECONDS)
        waited = stub.WaitBatch(request, timeout=SECONDS)
        assert waited.done
        rows = digests(channel, waited.batch.output_file_id)
        assert all(row["size_bytes"] > LENGTHS[row["custom_id"]] for row in rows)
        yield Finished(address, made.id, rows)


def digests(channel: grpc.Channel, file_id: str) -> list[dict[str, Any]]:
    """Each row's body, as it stands in the file."""
    request = file_service_pb2.DownloadFileRequest(file_id=file_id)
    pieces = FileServiceStub(channel).DownloadFile(request, timeout=SECONDS)
    rows = []
    for line in b"".join(piece.chunk for piece in pieces).splitlines():
        row = json.loads(line)
        body = line[line.index(b'"body":') + len(b'"body":') : -len(b'},"error":null}')].strip()
        assert json.loads(body) == row["response"]["body"]
        sha256 = hashlib.sha256(body).hexdigest()
        rows.append({"custom_id": row["custom_id"], "size_bytes": len(body), "sha256": sha256})
    return sorted(rows, key=lambda row: str(row["custom_id"]))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_rows_of_many_megabytes_are_whole(
    program: Program, batch: Finished, tmp_path: Path
) -> None:
    args = {"provider": "openai", "batch_id": batch.id}
    step = {"op": "DigestResults", "args": args, "timeout_seconds": SECONDS}
    run = one_step(step, address=batch.address)
    with started(program, run, tmp_path) as process:
        told, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    line = json.loads(told)
    assert line["code"] == "OK", line
    assert line["answer"]["rows"] == batch.rows
