"""The sync client over a channel and a time that are grpcio-testing's: what is tried again, when, and how long.

Nothing waits: the client sleeps by the fake time.
"""

import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from batchgate.v1 import batch_pb2, batch_service_pb2, file_service_pb2
from batchgate_client import Client
from batchgate_client.errors import (
    BatchgateError,
    GatewayUnreachable,
    OutcomeUnknown,
    ProviderNotFound,
    ServerDraining,
)
from batchgate_client.patience import FIRST_CONTACT_SECONDS, LONGEST_PAUSE

FILES = file_service_pb2.DESCRIPTOR.services_by_name["FileService"]
BATCHES = batch_service_pb2.DESCRIPTOR.services_by_name["BatchService"]
UNAVAILABLE, PATIENCE = grpc.StatusCode.UNAVAILABLE, 60.0


class Fake:
    """A channel, a time, and a client of both. `pauses` are those that the client has made."""

    def __init__(self) -> None:
        self.time = grpc_testing.strict_fake_time(1000.0)
        self.channel = grpc_testing.channel([FILES, BATCHES], self.time)
        self.pauses: list[float] = []
        self.timeouts: list[float | None] = []
        state = self.channel._state
        invoke = state.invoke_rpc

        def invoked(*given: Any) -> Any:
            self.timeouts.append(given[-1])
            return invoke(*given)

        state.invoke_rpc = invoked
        self.client = Client(channel=self.channel, provider="openai", patience=PATIENCE)
        self.client._clock = self.time.time
        self.client._sleep = self.sleep

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time.sleep_for(seconds)

    def taken(self, service: Any, method: str) -> tuple[Any, Any]:
        """The request of the next call, and the call's other end."""
        take = self.channel.take_unary_stream
        _, request, rpc = take(service.methods_by_name[method])
        rpc.send_initial_metadata(())
        return request, rpc


@pytest.fixture
def fake() -> Fake:
    return Fake()


class Reader:
    """What iterates beside the test, which plays the gateway."""

    def __init__(self, pool: ThreadPoolExecutor, items: Iterable[Any]) -> None:
        self._came: queue.Queue[Any] = queue.Queue()
        self._ended = pool.submit(self._read, items)

    def _read(self, items: Iterable[Any]) -> None:
        for item in items:
            self._came.put(item)

    def next(self) -> Any:
        """The next item. A failed call takes with it what was not read before."""
        return self._came.get(timeout=10)

    def end(self) -> None:
        """Until nothing more comes; raises what ended it."""
        self._ended.result(10)
        assert self._came.empty()

    @property
    def ended(self) -> bool:
        return self._ended.done()


Read = Callable[[Iterable[Any]], Reader]


@pytest.fixture
def read() -> Iterator[Read]:
    with ThreadPoolExecutor(1) as pool:
        yield lambda items: Reader(pool, items)


@pytest.fixture
def run() -> Iterator[Callable[..., Any]]:
    """Runs a function beside the test."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def trailers(reason: str = "", *, retry_seconds: int = 0) -> tuple[tuple[str, bytes], ...]:
    """The details of an error."""
    status = status_pb2.Status()
    details: list[Any] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="batchgate"))
    if retry_seconds:
        delay = Duration(seconds=retry_seconds)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for one in details:
        packed = AnyMessage()
        packed.Pack(one)
        status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),) if details else ()


def test_a_download_goes_on_at_the_byte_where_it_broke_off(fake: Fake, read: Read) -> None:
    reader = read(fake.client.download_file("file-a", read_limit=10))
    # All has come with the third: that it ends badly too does not matter.
    for offset, chunk in ((0, b"0123"), (4, b"456"), (7, b"789")):
        request, rpc = fake.taken(FILES, "DownloadFile")
        assert (request.read_offset, request.read_limit) == (offset, 10 - offset)
        rpc.send_response(file_service_pb2.DownloadFileResponse(chunk=chunk, offset=offset))
        assert reader.next() == chunk
        rpc.terminate((), UNAVAILABLE, "Socket closed")
    reader.end()
    assert len(fake.pauses) == 3
    assert all(0.1 <= pause <= 0.2 for pause in fake.pauses)


def test_results_go_on_by_the_token_of_the_last_message(fake: Fake, read: Read) -> None:
    def message(token: str, *ids: str) -> Any:
        rows = [batch_service_pb2.BatchResult(custom_id=one) for one in ids]
        return batch_service_pb2.StreamBatchResultsResponse(results=rows, resume_token=token)

    results = fake.client.results("batch_a")
    reader = read(results)
    _, rpc = fake.taken(BATCHES, "StreamBatchResults")
    rpc.send_response(message("t1", "a", "b"))
    rpc.send_response(message("t2", "c"))
    assert [reader.next().custom_id for _ in range(3)] == ["a", "b", "c"]
    rpc.terminate(trailers("SERVER_DRAINING"), UNAVAILABLE, "shutting down")
    request, rpc = fake.taken(BATCHES, "StreamBatchResults")
    assert request.resume_token == "t2"
    rpc.send_response(message("t3", "d"))
    assert reader.next().custom_id == "d"
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()
    assert results.resume_token == "t3"


def test_a_watch_goes_on_and_tells_what_changed_meanwhile(fake: Fake, read: Read) -> None:
    snapshot, change = batch_service_pb2.WATCH_EVENT_SNAPSHOT, batch_service_pb2.WATCH_EVENT_CHANGE
    reader = read(fake.client.watch_batch("batch_a"))

    def tell(completed: int) -> Any:
        _, rpc = fake.taken(BATCHES, "WatchBatch")
        counts = batch_pb2.BatchRequestCounts(completed=completed)
        batch = batch_pb2.Batch(id="batch_a", request_counts=counts)
        rpc.send_response(batch_service_pb2.WatchBatchResponse(batch=batch, event=snapshot))
        return rpc

    rpc = tell(1)
    assert reader.next().event == snapshot
    rpc.terminate((), UNAVAILABLE, "")
    # The same as before: nothing is told. Then a heartbeat, to see that it was read.
    rpc = tell(1)
    rpc.send_response(
        batch_service_pb2.WatchBatchResponse(event=batch_service_pb2.WATCH_EVENT_HEARTBEAT)
    )
    assert reader.next().event == batch_service_pb2.WATCH_EVENT_HEARTBEAT
    rpc.terminate((), UNAVAILABLE, "")
    rpc = tell(5)
    news = reader.next()
    assert (news.event, news.batch.request_counts.completed) == (change, 5)
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()


def _refuse_until_it_ends(fake: Fake, reader: Reader) -> None:
    """One refusal for each pause, and one before the first."""
    method = FILES.methods_by_name["DownloadFile"]
    calls = fake.channel._state._rpc_states
    while not reader.ended:
        if calls["/batchgate.v1.FileService/DownloadFile"]:
            _, _, rpc = fake.channel.take_unary_stream(method)
            rpc.send_initial_metadata(())
            rpc.terminate((), UNAVAILABLE, "again")


def test_pauses_grow_to_a_bound_until_patience_ends(fake: Fake, read: Read) -> None:
    reader = read(fake.client.download_file("file-a"))
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.send_response(file_service_pb2.DownloadFileResponse(chunk=b"0", offset=0))
    assert reader.next() == b"0"
    rpc.terminate((), UNAVAILABLE, "the first")
    _refuse_until_it_ends(fake, reader)
    with pytest.raises(GatewayUnreachable, match="again"):
        reader.end()
    for number, pause in enumerate(fake.pauses):
        longest = min(0.2 * 2**number, LONGEST_PAUSE)
        assert longest / 2 <= pause <= longest
    assert PATIENCE - LONGEST_PAUSE <= sum(fake.pauses) <= PATIENCE


def test_an_address_where_nobody_ever_answers_is_told_soon(fake: Fake, read: Read) -> None:
    reader = read(fake.client.download_file("file-a"))
    _refuse_until_it_ends(fake, reader)
    with pytest.raises(GatewayUnreachable):
        reader.end()
    assert 0 < sum(fake.pauses) <= FIRST_CONTACT_SECONDS


def test_the_gateways_word_on_when_to_come_back_is_kept(fake: Fake, read: Read) -> None:
    reader = read(fake.client.download_file("file-a"))
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.send_response(file_service_pb2.DownloadFileResponse(chunk=b"0", offset=0))
    assert reader.next() == b"0"
    rpc.terminate(trailers("PROVIDER_UNAVAILABLE", retry_seconds=7), UNAVAILABLE, "")
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()
    # Not all that were refused together come back at once.
    assert len(fake.pauses) == 1
    assert 7 <= fake.pauses[0] <= 7 + 3.5
    # Longer than the client's patience: told at once.
    reader = read(fake.client.download_file("file-a"))
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.terminate(trailers("SERVER_DRAINING", retry_seconds=61), UNAVAILABLE, "")
    with pytest.raises(ServerDraining) as caught:
        reader.end()
    assert caught.value.retry_after == 61


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND", ProviderNotFound),
        (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN", OutcomeUnknown),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "", BatchgateError),
        (grpc.StatusCode.INTERNAL, "A_REASON_OF_LATER", BatchgateError),
    ],
)
def test_what_trying_again_does_not_mend_is_told_at_once(
    fake: Fake,
    read: Read,
    code: grpc.StatusCode,
    reason: str,
    error: type[BatchgateError],
) -> None:
    reader = read(fake.client.download_file("file-a"))
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.terminate(trailers(reason), code, "told")
    with pytest.raises(error) as caught:
        reader.end()
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.reason, caught.value.message) == (code, reason, "told")
    assert fake.pauses == []


def test_what_broke_off_on_the_way_is_begun_anew(fake: Fake, read: Read) -> None:
    """A proxy that goes away resets streams, which gRPC tells as INTERNAL or UNKNOWN.

    A gateway that stops cancels what comes in that moment.
    """
    reader = read(fake.client.download_file("file-a"))
    broken = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED)
    for code in (*broken, grpc.StatusCode.OK):
        _, rpc = fake.taken(FILES, "DownloadFile")
        rpc.terminate((), code, "RST_STREAM")
    reader.end()


def test_deadlines_of_calls(fake: Fake, read: Read, run: Callable[..., Any]) -> None:
    """The client's for unary calls, 15 minutes for creations, none for streams, and the call's own."""
    client = fake.client
    create = BATCHES.methods_by_name["CreateBatch"]
    get = BATCHES.methods_by_name["GetBatch"]
    for call, method in (
        (lambda: client.get_batch("batch_a"), get),
        (lambda: client.get_batch("batch_a", timeout=3), get),
        (lambda: client.get_batch("batch_a", timeout=float("inf")), get),
        (lambda: client.using(timeout=5).get_batch("batch_a"), get),
        (lambda: client.create_batch("file-a", endpoint="/v1/embeddings"), create),
    ):
        answered = run(call)
        _, _, rpc = fake.channel.take_unary_unary(method)
        rpc.send_initial_metadata(())
        response: Any = (
            batch_service_pb2.GetBatchResponse()
            if method is get
            else batch_service_pb2.CreateBatchResponse()
        )
        rpc.terminate(response, (), grpc.StatusCode.OK, "")
        answered.result(10)
    reader = read(client.download_file("file-a"))
    _, rpc = fake.taken(FILES, "DownloadFile")
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()
    assert fake.timeouts == [60, 3, None, 5, 900, None]
