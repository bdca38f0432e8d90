"""The conformance program of the Python client (`Client`; `AsyncClient` is its source).

`python with_python.py RUN`; see the README beside it. It needs the package `batchgate`.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from batchgate_client import BatchgateError, Client
from batchgate_client.errors import Details, error_of
from steps import JsonObject, Run, Step, content_of, digested, pieces_of, rows_of, summary

Answer: TypeAlias = Any
"""A message, or a JSON object."""
REQUESTS: dict[str, Any] = {
    name.removesuffix("Request"): getattr(module, name)
    for module in (file_service_pb2, batch_service_pb2, provider_service_pb2)
    for name in module.DESCRIPTOR.message_types_by_name
    if name.endswith("Request")
}


def json_of(message: Message) -> JsonObject:
    """A message as protobuf's JSON with the contract's names."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def message_of(method: str, args: JsonObject) -> Any:
    """The request of a method."""
    return json_format.ParseDict(args, REQUESTS[method]())


class Operations:
    """What a step can ask for, done with a client whose calls carry the step's headers."""

    def __init__(self, client: Client, step: Step) -> None:
        self._client = client
        self._step = step
        self.request_id = ""
        """Of the call, where its operation tells."""

    def carry_out(self) -> Answer:
        """The step's answer.

        Raises:
            BatchgateError: The call failed.
        """
        own: Callable[[JsonObject], Answer] | None = getattr(self, f"do_{self._step.op}", None)
        if own:
            return own(self._step.args)
        if self._step.op not in REQUESTS:
            sys.exit(f"no such operation: {self._step.op}")
        return self._call(self._step.op, message_of(self._step.op, self._step.args))

    def _call(self, method: str, request: object) -> Any:
        stubs = (self._client.files, self._client.batches, self._client.providers)
        stub = next(found for stub in stubs if (found := getattr(stub, method, None)))
        try:
            if stub.kind != "unary_unary":
                return stub(request, timeout=self._step.timeout_seconds)
            response, call = stub.with_call(request, timeout=self._step.timeout_seconds)
        except grpc.RpcError as failed:
            raise error_of(failed) from failed
        self.request_id = str(dict(call.trailing_metadata()).get("x-request-id", ""))
        return response

    def do_UploadFile(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """By the client's own method; its metadata's names are the method's."""
        metadata = message_of("UploadFile", {"metadata": args["metadata"]}).metadata
        given = {field.name: value for field, value in metadata.ListFields()}
        lifetime = given.pop("expires_after", None)
        # The client knows the size of bytes; what the step says of it may be wrong on purpose.
        if "size_bytes" in given or not metadata.filename:
            return self.do_UploadMessages(
                {"messages": [{"metadata": args["metadata"]}, *_chunks(args)]}
            )
        return self._client.upload_file(
            pieces_of(args) if "chunk_bytes" in args else content_of(args),
            **given,
            chunk_bytes=args.get("chunk_bytes", 262144),
            expires_after=lifetime.ToTimedelta() if lifetime else None,
            timeout=self._step.timeout_seconds,
        )

    def do_UploadMessages(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """By the stub."""
        messages = [message_of("UploadFile", one) for one in args["messages"]]
        return self._call("UploadFile", iter(messages))

    def do_SubmitMessages(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """By the stub."""
        messages = [message_of("SubmitBatch", one) for one in args["messages"]]
        return self._call("SubmitBatch", iter(messages))

    def do_SubmitBatch(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """By the client's own method."""
        metadata = message_of("SubmitBatch", {"metadata": args["metadata"]}).metadata
        rows = [json_format.ParseDict(row, batch_service_pb2.BatchLine()) for row in rows_of(args)]
        given = {field.name: value for field, value in metadata.ListFields()}
        return self._client.submit_batch(rows, **given, timeout=self._step.timeout_seconds)

    def do_DownloadFile(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """Size and digest of the whole."""
        request = message_of("DownloadFile", args)
        pieces = self._client.download_file(
            request.file_id,
            provider=request.provider,
            read_offset=request.read_offset,
            read_limit=request.read_limit,
            timeout=self._step.timeout_seconds,
        )
        content = b"".join(pieces)
        return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def do_WatchBatch(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """The first event, and the last batch."""
        news = [json_of(one) for one in self._watch(args)]
        return {"first_event": news[0]["event"], "batch": news[-1]["batch"]}

    def do_WatchMany(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """One batch, many times at once, each to its end."""
        count = args["count"]
        one = {name: value for name, value in args.items() if name != "count"}
        with ThreadPoolExecutor(count) as threads:
            for watched in [threads.submit(self.do_WatchBatch, one) for _ in range(count)]:
                watched.result()
        return {"count": count}

    def do_CancelWatch(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """Cancelled after the first message."""
        call = self._call("WatchBatch", message_of("WatchBatch", args))
        next(call)
        call.cancel()
        try:
            return json_of(next(call))
        except grpc.RpcError as failed:
            raise error_of(failed) from failed

    def _watch(self, args: JsonObject) -> Iterator[Message]:
        return self._client.watch_batch(**args, timeout=self._step.timeout_seconds)

    def do_StreamBatchResults(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """All rows."""
        return summary([json_of(row) for row in self._results(args)])

    def do_DigestResults(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """All rows, by size and digest."""
        return digested({row.custom_id: row.response.body_json for row in self._results(args)})

    def do_ResumeResults(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """Some rows, then the others by the token."""
        begun = self._results(args)
        rows: list[JsonObject] = []
        for message in begun.messages():
            rows += [json_of(row) for row in message.results]
            if rows:
                break
        begun.close()
        rest = self._results({**args, "resume_token": begun.resume_token})
        return summary(rows + [json_of(row) for row in rest])

    def _results(self, args: JsonObject) -> Any:
        request = message_of("StreamBatchResults", args)
        given = {field.name: value for field, value in request.ListFields()}
        return self._client.results(**given, timeout=self._step.timeout_seconds)

    def do_ListAllFiles(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """All pages."""
        return _counted([file.id for file in self._client.list_files(**args)])

    def do_ListAllBatches(self, args: JsonObject) -> Answer:  # noqa: N802 - the step's word
        """All pages."""
        return _counted([batch.id for batch in self._client.list_batches(**args)])


def _chunks(args: JsonObject) -> list[JsonObject]:
    # As JSON has bytes.
    request = file_service_pb2.UploadFileRequest
    return [json_of(request(chunk=piece)) for piece in pieces_of(args)]


def _counted(ids: list[str]) -> JsonObject:
    return {"count": len(ids), "distinct": len(set(ids))}


def error_line(error: BatchgateError) -> JsonObject:
    """The line of a call that failed."""
    details: Details = error.details
    found: JsonObject = {
        "reason": error.reason,
        "domain": "batchgate" if error.reason else "",
        "metadata": dict(error.metadata),
        "retry": error.retry_after is not None,
    }
    for name, given in (("violations", details.violations), ("quotas", details.quotas)):
        if given:
            found[name] = [one.field for one in given]
    return {"code": error.code.name, "error": found, "request_id": error.request_id}


def client_of(run: Run) -> Client:
    """The client of a run; ends the program where the environment describes none."""
    if run.address:
        return Client(run.address)
    try:
        return Client.from_environment()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def main() -> None:
    """Carry out the run that the argument names."""
    run = Run.read(sys.argv[1])
    with client_of(run) as client:
        for step in run.steps():
            caller = client.using(metadata=tuple(step.headers.items()))
            operations = Operations(caller, step)
            try:
                answer = operations.carry_out()
            except BatchgateError as error:
                run.tell(step, error_line(error))
                continue
            told = json_of(answer) if isinstance(answer, Message) else answer
            run.tell(step, {"code": "OK", "answer": told, "request_id": operations.request_id})


if __name__ == "__main__":
    main()
