"""Which calls are tried again: by RetryInfo and UNAVAILABLE, as often as `max_retries`, within the timeout."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2
from batchgate_client.errors import (
    BatchgateError,
    CallerLimit,
    GatewayUnreachable,
    OutcomeUnknown,
    ProviderQuotaExceeded,
    ServerDraining,
)
from tests.clients.python.test_patience import BATCHES, FILES, Fake, Read, read, run, trailers

__all__ = ["read", "run"]

EXHAUSTED, UNAVAILABLE = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE
GET = BATCHES.methods_by_name["GetBatch"]
CREATE = BATCHES.methods_by_name["CreateBatch"]
RETRY = BATCHES.methods_by_name["RetryBatch"]
Run = Callable[..., Future[Any]]


@pytest.fixture
def fake() -> Fake:
    return Fake()


def answer(
    fake: Fake,
    method: Any,
    code: grpc.StatusCode = grpc.StatusCode.OK,
    response: Any = None,
    **details: Any,
) -> None:
    """The next unary call ends so."""
    _, _, rpc = fake.channel.take_unary_unary(method)
    rpc.send_initial_metadata(())
    rpc.terminate(response, trailers(**details), code, "told")


@pytest.fixture(params=["get", "create", "retry"])
def safe(request: pytest.FixtureRequest, fake: Fake) -> tuple[Callable[[], Any], Any]:
    """A call that is safe to repeat, and its method."""
    calls: dict[str, tuple[Callable[[], Any], Any]] = {
        "get": (lambda: fake.client.get_batch("batch_a"), GET),
        "create": (
            lambda: fake.client.create_batch("file-a", endpoint="/e", request_id="i"),
            CREATE,
        ),
        "retry": (lambda: fake.client.retry_batch("batch_a", request_id="i"), RETRY),
    }
    return calls[request.param]


RESPONSES = {
    "GetBatch": batch_service_pb2.GetBatchResponse(),
    "CreateBatch": batch_service_pb2.CreateBatchResponse(),
    "RetryBatch": batch_service_pb2.RetryBatchResponse(),
}


def test_what_is_safe_is_repeated_where_waiting_helps(
    fake: Fake, run: Run, safe: tuple[Callable[[], Any], Any]
) -> None:
    call, method = safe
    answered = run(call)
    answer(fake, method, EXHAUSTED, reason="CALLER_LIMIT", retry_seconds=3)
    answer(fake, method, UNAVAILABLE, reason="SERVER_DRAINING")
    answer(fake, method, UNAVAILABLE)
    answer(fake, method, response=RESPONSES[method.name])
    answered.result(10)
    first, second, third = fake.pauses
    assert 3 <= first <= 4.5
    assert 0.2 <= second <= 0.4
    assert 0.4 <= third <= 0.8
    # What is left of the timeout goes along.
    whole, *rest = (one or 0 for one in fake.timeouts)
    assert rest == pytest.approx([whole - first, whole - first - second, whole - sum(fake.pauses)])


@pytest.mark.parametrize(
    ("code", "details", "error"),
    [
        (EXHAUSTED, {"reason": "PROVIDER_QUOTA_EXCEEDED"}, ProviderQuotaExceeded),
        (EXHAUSTED, {}, BatchgateError),
        (grpc.StatusCode.UNKNOWN, {"reason": "OUTCOME_UNKNOWN"}, OutcomeUnknown),
        # Longer than the call may take.
        (EXHAUSTED, {"reason": "CALLER_LIMIT", "retry_seconds": 1000}, CallerLimit),
    ],
)
def test_nothing_is_repeated_where_waiting_does_not_help(
    fake: Fake,
    run: Run,
    *,
    safe: tuple[Callable[[], Any], Any],
    code: grpc.StatusCode,
    details: dict[str, Any],
    error: type[BatchgateError],
) -> None:
    call, method = safe
    answered = run(call)
    answer(fake, method, code, **details)
    with pytest.raises(error):
        answered.result(10)
    assert fake.pauses == []


@pytest.mark.parametrize(
    ("call", "service", "name"),
    [
        (lambda client: client.create_batch("file-a", endpoint="/e"), BATCHES, "CreateBatch"),
        (lambda client: client.retry_batch("batch_a"), BATCHES, "RetryBatch"),
        (lambda client: client.cancel_batch("batch_a"), BATCHES, "CancelBatch"),
        (lambda client: client.delete_file("file-a"), FILES, "DeleteFile"),
    ],
)
def test_what_could_be_done_twice_is_not_repeated(
    fake: Fake, run: Run, call: Callable[[Any], Any], service: Any, name: str
) -> None:
    answered = run(lambda: call(fake.client))
    answer(fake, service.methods_by_name[name], UNAVAILABLE, reason="SERVER_DRAINING")
    with pytest.raises(ServerDraining):
        answered.result(10)
    assert fake.pauses == []


@pytest.mark.parametrize("most", [0, 2])
def test_no_more_retries_than_are_wanted(fake: Fake, run: Run, read: Read, most: int) -> None:
    fake.client._max_retries = most
    answered = run(lambda: fake.client.get_batch("batch_a"))
    for _ in range(most + 1):
        answer(fake, GET, UNAVAILABLE)
    with pytest.raises(GatewayUnreachable):
        answered.result(10)
    assert len(fake.pauses) == most
    reader = read(fake.client.watch_batch("batch_a"))
    for _ in range(most + 1):
        _, rpc = fake.taken(BATCHES, "WatchBatch")
        rpc.terminate(trailers("CALLER_LIMIT", retry_seconds=1), EXHAUSTED, "")
    with pytest.raises(CallerLimit):
        reader.end()
    assert len(fake.pauses) == 2 * most


def test_a_stream_that_is_refused_for_now_comes_back(fake: Fake, read: Read) -> None:
    """Also one to which nothing has come yet, for longer than a wrong address would be given."""
    reader = read(fake.client.watch_batch("batch_a"))
    for _ in range(3):
        _, rpc = fake.taken(BATCHES, "WatchBatch")
        rpc.terminate(trailers("CALLER_LIMIT", retry_seconds=8), EXHAUSTED, "")
    _, rpc = fake.taken(BATCHES, "WatchBatch")
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()
    assert [8 <= pause <= 12 for pause in fake.pauses] == [True] * 3
    assert len(set(fake.pauses)) == 3


def test_a_stream_is_not_begun_anew_after_its_own_timeout(fake: Fake, read: Read) -> None:
    reader = read(fake.client.watch_batch("batch_a", timeout=5))
    _, rpc = fake.taken(BATCHES, "WatchBatch")
    rpc.terminate(trailers("CALLER_LIMIT", retry_seconds=3), EXHAUSTED, "")
    _, rpc = fake.taken(BATCHES, "WatchBatch")
    rpc.terminate((), grpc.StatusCode.DEADLINE_EXCEEDED, "")
    with pytest.raises(BatchgateError):
        reader.end()
    assert fake.timeouts == [5, pytest.approx(5 - fake.pauses[0])]
