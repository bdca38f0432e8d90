"""One batch from upload to tidying up, as a caller of the gateway does it.

One of its lines fails at first, and is retried until all have succeeded.
"""

import json
from collections.abc import Generator, Iterator

from batchgate.v1.batch_pb2 import BATCH_STATUS_COMPLETED, Batch, BatchRequestCounts
from batchgate.v1.batch_service_pb2 import BatchResult
from batchgate_client import BatchgateError, Client
from batchgate_client.cli.wording import counts_text
from batchgate_client.errors import TimedOut

CALL_SECONDS = 30.0
BATCH_SECONDS = 120.0
MOST_RETRIES = 5
ENDPOINT = "/v1/chat/completions"
QUESTIONS = {
    "greeting": "Say hello to a newcomer.",
    "fact": "Tell one fact about gRPC.",
    "farewell": "Say goodbye in one word.",
}
# What the sandbox is asked for: the first two tries of this line fail.
TROUBLE = {"farewell": {"fail": 503, "times": 2}}

# A word for what happened, and the details.
Step = tuple[str, str]


class WalkthroughFailedError(Exception):
    """A call failed, or the batch did not complete."""


def walk_through(address: str, provider: str) -> Iterator[Step]:
    """Run one batch on the provider through the gateway at `address`, and tell each step.

    Raises:
        WalkthroughFailedError: with what went wrong, in one line.
    """
    # Whatever breaks off is told, not tried again.
    with Client(address, provider=provider, timeout=CALL_SECONDS, patience=0) as client:
        try:
            yield from _Walk(client, provider).steps()
        except BatchgateError as error:
            reason = f"{error.code.name}: {error.message}"
            raise WalkthroughFailedError(f"{provider}: {reason}") from error


class _Walk:
    def __init__(self, client: Client, provider: str) -> None:
        self._client = client
        self._provider = provider
        self._made: list[str] = []

    def steps(self) -> Iterator[Step]:
        content = "".join(_line(name, question) for name, question in QUESTIONS.items()).encode()
        uploaded = self._client.upload_file(
            content,
            filename="demo.jsonl",
            endpoint=ENDPOINT,
            wait_until_processed=True,
            timeout=CALL_SECONDS,
        )
        file, report = uploaded.file, uploaded.report
        yield "uploaded", f"{file.id}, {report.line_count} lines, {report.received_bytes} bytes"
        batch = self._client.create_batch(file.id, endpoint=ENDPOINT, timeout=CALL_SECONDS)
        yield "created", batch.id
        for _ in range(MOST_RETRIES):
            results = yield from self._followed(batch)
            if all(result.succeeded for result in results):
                break
            retry = self._client.retry_batch(batch.id, timeout=CALL_SECONDS)
            batch = retry.batch
            yield "retried", f"{batch.id}, {retry.line_count} of the lines once more"
        else:
            raise WalkthroughFailedError(f"{self._provider}: lines fail again and again")
        for id_ in self._made:
            self._client.delete_file(id_)
        yield "tidied up", f"{len(self._made)} files deleted"

    def _followed(self, batch: Batch) -> Generator[Step, None, list[BatchResult]]:
        """Watch a batch to its end, and read its results."""
        for news in self._changes(batch):
            batch = news
            yield batch.status_text, counts_text(batch.request_counts)
        files = (batch.input_file_id, batch.output_file_id, batch.error_file_id)
        self._made.extend(id_ for id_ in files if id_)
        if batch.status != BATCH_STATUS_COMPLETED:
            errors = "; ".join(error.message for error in batch.errors)
            raise WalkthroughFailedError(f"{self._provider}: batch {batch.status_text}: {errors}")
        results = []
        for result in self._client.results(batch.id, timeout=CALL_SECONDS):
            results.append(result)
            yield "answer" if result.succeeded else "failed", _told(result)
        return results

    def _changes(self, batch: Batch) -> Iterator[Batch]:
        yield batch
        try:
            for news in self._client.watch_batch(batch.id, timeout=BATCH_SECONDS):
                before, batch = batch, news.batch
                if _state(batch) != _state(before):
                    yield batch
        except TimedOut as error:
            late = f"the batch has not ended after {BATCH_SECONDS:g} s"
            raise WalkthroughFailedError(f"{self._provider}: {late}") from error


def _line(custom_id: str, question: str) -> str:
    body: dict[str, object] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": question}],
    }
    if custom_id in TROUBLE:
        body["sandbox"] = TROUBLE[custom_id]
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line) + "\n"


def _state(batch: Batch) -> tuple[str, BatchRequestCounts]:
    return batch.status_text, batch.request_counts


def _told(result: BatchResult) -> str:
    """What became of one line."""
    if not result.succeeded:
        return f"{result.custom_id}: HTTP status {result.response.status_code}"
    body = json.loads(result.response.body_json)
    return f"{result.custom_id}: {body['choices'][0]['message']['content']}"
