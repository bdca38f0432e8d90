"""The conformance program of grpcurl: carries out the steps of a run by one grpcurl call each.

`python with_grpcurl.py RUN`; see the README beside it. It needs grpcurl on PATH or in
`build/tools/bin`, and the Python package `batchgate` for protobuf's JSON with the contract's names.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from steps import JsonObject, Run, Step, digested, pieces_of, rows_of, summary

TOOLS = Path(__file__).resolve().parents[2] / "build" / "tools" / "bin"
GRPCURL = shutil.which("grpcurl", path=f"{os.environ.get('PATH', '')}:{TOOLS}") or "grpcurl"
SERVICES = {
    service.name: service
    for module in (file_service_pb2, batch_service_pb2, provider_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}
METHODS = {method.name: method for service in SERVICES.values() for method in service.methods}
CODES = {code.value[0]: code.name for code in grpc.StatusCode}
ROWS_A_MESSAGE = 500
_REQUEST_ID = re.compile(r"^x-request-id: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What one call of grpcurl gave."""

    responses: list[JsonObject]
    status: JsonObject | None
    request_id: str


class Grpcurl:
    """Calls RPCs at one address, for one step."""

    def __init__(self, address: str, step: Step) -> None:
        self._address = address
        self._step = step

    def command(self, method: str) -> list[str]:
        """The command line whose standard input are the messages."""
        full = f"{METHODS[method].containing_service.full_name}/{method}"
        headers = [
            part for header in self._step.headers.items() for part in ("-H", ": ".join(header))
        ]
        options = [
            "-plaintext",
            "-format-error",
            "-v",
            "-max-time",
            str(self._step.timeout_seconds),
        ]
        return [GRPCURL, *options, *headers, "-d", "@", self._address, full]

    def call(self, method: str, *messages: JsonObject) -> Outcome:
        """The whole call."""
        done = subprocess.run(  # noqa: S603 - its parts are the scenario's
            self.command(method),
            input="\n".join(json.dumps(message) for message in messages),
            capture_output=True,
            text=True,
            check=False,
        )
        status = json.loads(done.stderr) if done.returncode else None
        found = _REQUEST_ID.findall(done.stdout.partition("Response headers received:")[2])
        answers = [_named(METHODS[method], one) for one in _contents(done.stdout)]
        return Outcome(answers, status, found[-1] if found else "")


def _contents(output: str) -> Iterator[JsonObject]:
    decoder = json.JSONDecoder()
    for part in output.split("\nResponse contents:\n")[1:]:
        yield decoder.raw_decode(part)[0]


def _named(method: Any, answer: JsonObject) -> JsonObject:
    """A response with the names of the .proto files, whatever names grpcurl gave."""
    message = method.output_type._concrete_class()  # noqa: SLF001 - protobuf's way to a class
    json_format.ParseDict(answer, message)
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def upload(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """UploadFile of content in chunks."""
    chunks = [{"chunk": b64encode(piece).decode()} for piece in pieces_of(args)]
    return grpcurl.call("UploadFile", {"metadata": args["metadata"]}, *chunks)


def submit(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """SubmitBatch of rows, some hundred a message."""
    rows = rows_of(args)
    starts = range(0, len(rows), ROWS_A_MESSAGE)
    lines = [{"lines": {"lines": rows[start : start + ROWS_A_MESSAGE]}} for start in starts]
    return grpcurl.call("SubmitBatch", {"metadata": args["metadata"]}, *lines)


def download(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """DownloadFile: size and digest of all chunks."""
    outcome = grpcurl.call("DownloadFile", args)
    content = b"".join(b64decode(one["chunk"]) for one in outcome.responses)
    answer = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Outcome([answer], outcome.status, outcome.request_id)


def watch(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """WatchBatch to its end: the first event and the last batch."""
    outcome = grpcurl.call("WatchBatch", args)
    if not outcome.responses:
        return outcome
    first, last = outcome.responses[0], outcome.responses[-1]
    answer = {"first_event": first["event"], "batch": last["batch"]}
    return Outcome([answer], outcome.status, outcome.request_id)


def results(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """StreamBatchResults: all rows in one answer."""
    outcome = grpcurl.call("StreamBatchResults", args)
    rows = [row for message in outcome.responses for row in message.get("results", [])]
    return Outcome([summary(rows)], outcome.status, outcome.request_id)


def digested_results(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """StreamBatchResults: size and digest of each row, whose parts come one after the other."""
    outcome = grpcurl.call("StreamBatchResults", args)
    parts: dict[str, list[str]] = {}
    for message in outcome.responses:
        for row in message.get("results", []):
            body = row.get("response", {}).get("body_json", "")
            parts.setdefault(row["custom_id"], []).append(body)
    bodies = {custom_id: "".join(texts) for custom_id, texts in parts.items()}
    return Outcome([digested(bodies)], outcome.status, outcome.request_id)


def resumed_results(grpcurl: Grpcurl, args: JsonObject) -> Outcome:
    """StreamBatchResults, interrupted after the first message with rows, then taken up again."""
    with subprocess.Popen(  # noqa: S603 - its parts are the scenario's
        grpcurl.command("StreamBatchResults"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin  # noqa: S101 - it is a pipe
        assert process.stdout  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(args))
        process.stdin.close()
        seen = ""
        first: JsonObject = {}
        for line in process.stdout:
            seen += line
            if line == "}\n":
                first = _named(METHODS["StreamBatchResults"], list(_contents(seen))[-1])
                if first.get("results"):
                    process.send_signal(signal.SIGINT)
                    break
    rest = grpcurl.call("StreamBatchResults", {**args, "resume_token": first["resume_token"]})
    rows = [row for message in (first, *rest.responses) for row in message.get("results", [])]
    return Outcome([summary(rows)], rest.status, rest.request_id)


def every_page(grpcurl: Grpcurl, method: str, args: JsonObject) -> Outcome:
    """A list's pages, one after the other."""
    ids: list[str] = []
    token = ""
    while True:
        outcome = grpcurl.call(method, {**args, "page_token": token})
        if outcome.status:
            return outcome
        page = outcome.responses[0]
        ids += [one["id"] for name in ("files", "batches") for one in page.get(name, [])]
        token = page.get("next_page_token", "")
        if not token:
            answer = {"count": len(ids), "distinct": len(set(ids))}
            return Outcome([answer], None, outcome.request_id)


STREAMS = {
    "UploadFile": upload,
    "SubmitBatch": submit,
    "DownloadFile": download,
    "WatchBatch": watch,
    "StreamBatchResults": results,
    "DigestResults": digested_results,
    "ResumeResults": resumed_results,
}
MESSAGES = {"UploadMessages": "UploadFile", "SubmitMessages": "SubmitBatch"}
LISTS = {"ListAllFiles": "ListFiles", "ListAllBatches": "ListBatches"}


def carry_out(grpcurl: Grpcurl, op: str, args: JsonObject) -> Outcome:
    """One step's operation."""
    if op in STREAMS:
        return STREAMS[op](grpcurl, args)
    if op in MESSAGES:
        return grpcurl.call(MESSAGES[op], *args["messages"])
    if op in LISTS:
        return every_page(grpcurl, LISTS[op], args)
    if op in METHODS:
        return grpcurl.call(op, args)
    sys.exit(f"no such operation: {op}")


def error_of(status: JsonObject) -> JsonObject:
    """The details of a failed call in the form of a line."""
    details = {one["@type"].rpartition(".")[2]: one for one in status.get("details", [])}
    info = details.get("ErrorInfo", {})
    error: JsonObject = {
        **{name: info.get(name, "") for name in ("reason", "domain")},
        "metadata": info.get("metadata", {}),
        "retry": "RetryInfo" in details,
    }
    for name, kind, key, member in (
        ("violations", "BadRequest", "field_violations", "field"),
        ("quotas", "QuotaFailure", "violations", "subject"),
    ):
        if found := [one.get(member, "") for one in details.get(kind, {}).get(key, [])]:
            error[name] = found
    return error


def line_of(outcome: Outcome) -> JsonObject:
    """The line that a step's outcome is printed as."""
    line: JsonObject = {"request_id": outcome.request_id}
    if outcome.status:
        return line | {"code": CODES[outcome.status["code"]], "error": error_of(outcome.status)}
    return line | {"code": "OK", "answer": outcome.responses[0]}


def main() -> None:
    """Carry out the run that the argument names."""
    run = Run.read(sys.argv[1])
    for step in run.steps():
        outcome = carry_out(Grpcurl(run.address, step), step.op, step.args)
        run.tell(step, line_of(outcome))


if __name__ == "__main__":
    main()
