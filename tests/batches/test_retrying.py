"""Retrying against a provider that answers strangely: what the sandbox would not."""

import json

import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches import result_lines
from batchgate_server.batches.retrying import Retry
from batchgate_server.errors import (
    BatchNotFinished,
    InvalidField,
    ProviderBadResponse,
    ProviderConflict,
    ProviderNotFound,
)
from tests.batches.provider import Held


def request(custom_id: str, **more: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "url": "/v1/responses", **more}).encode()


def result(custom_id: str, status: int = 200) -> bytes:
    response = {"status_code": status, "body": {}}
    return json.dumps({"custom_id": custom_id, "response": response}).encode()


async def retried(held: Held, **asked: object) -> Retry:
    held.batch |= {"endpoint": "/v1/responses", **held.batch}
    retry = Retry(held.provider(), pb.RetryBatchRequest(batch_id="batch_1", **asked))  # type: ignore[arg-type]
    await retry.create()
    return retry


async def test_what_was_never_answered_is_tried_again() -> None:
    held = Held(input=[request("a") + b"\n" + request("b")], output=[result("a")])
    retry = await retried(held)
    assert held.uploaded == request("b") + b"\n"
    assert retry.line_count == 1
    assert held.created == {
        "input_file_id": "file-new",
        "endpoint": "/v1/responses",
        "completion_window": "24h",
        "metadata": {"batchgate_retry_of": "batch_1"},
    }


@pytest.mark.parametrize("scope", [pb.RETRY_SCOPE_UNSUCCESSFUL, pb.RETRY_SCOPE_FAILED_ONLY])
async def test_an_answer_without_a_status_is_tried_again(scope: pb.RetryScope) -> None:
    held = Held(
        input=[request("a") + b"\n" + request("b")],
        output=[result("a") + b'\n{"custom_id": "b", "response": {}}'],
    )
    await retried(held, scope=scope)
    assert held.uploaded == request("b") + b"\n"


async def test_the_old_batch_gives_what_the_request_leaves_out() -> None:
    held = Held(input=[request("a")])
    old = {"team": "blue", "batchgate_request_id": "old", "batchgate_other": "x"}
    held.batch |= {"metadata": old, "completion_window": "48h"}
    await retried(held)
    assert held.created["completion_window"] == "48h"
    assert held.created["metadata"] == {"team": "blue", "batchgate_retry_of": "batch_1"}


async def test_labels_that_leave_no_room_are_told_of_before_files_are_read() -> None:
    held = Held(input=[request("a")], output=[result("b")])
    held.batch["metadata"] = {str(number): "x" for number in range(16)}
    with pytest.raises(InvalidField, match="at most 15 pairs: those of batch_1 fill all 16"):
        await retried(held, request_id="again")
    assert [each.url.path for each in held.requests] == ["/v1/batches/batch_1"]
    await retried(held)
    assert held.created["metadata"] == held.batch["metadata"]


async def test_an_endpoint_that_the_provider_does_not_tell_is_that_of_the_lines() -> None:
    held = Held(input=[request("a") + b"\n" + request("b", url="/v1/chat/completions")])
    held.batch["endpoint"] = None
    held.files["output"] = [result("a")]
    held.batch["output_file_id"] = "output"
    await retried(held)
    assert held.created["endpoint"] == "/v1/chat/completions"


async def test_an_endpoint_that_nobody_tells_is_for_the_provider_to_refuse() -> None:
    held = Held(input=[b'{"custom_id": "a", "url": 5}'])
    held.batch["endpoint"] = None
    await retried(held)
    assert held.created["endpoint"] == ""


async def test_a_success_counts_even_where_there_is_a_failure_as_well() -> None:
    held = Held(input=[request("a") + b"\n" + request("b")], output=[result("a")])
    held.files["error"] = [result("a", 500) + b"\n" + result("b", 500)]
    held.batch["error_file_id"] = "error"
    await retried(held, scope=pb.RETRY_SCOPE_FAILED_ONLY)
    assert held.uploaded == request("b") + b"\n"


async def test_lines_that_cannot_be_read() -> None:
    unreadable = b'{"custom_id": "a'
    held = Held(
        input=[request("a") + b"\n\n" + unreadable + b"\n" + b'{"url": "x"}'],
        output=[result("") + b"\n" + unreadable + b"\n" + result("a")],
    )
    await retried(held)
    assert held.uploaded == unreadable + b"\n" + b'{"url": "x"}\n'


async def test_halves_of_surrogate_pairs_are_told_apart() -> None:
    held = Held(input=[request("\ud800") + b"\n" + request("\ud801")], output=[result("\ud800")])
    await retried(held)
    assert held.uploaded == request("\ud801") + b"\n"


async def test_a_byte_order_mark() -> None:
    held = Held(input=[b"\xef\xbb\xbf" + request("a") + b"\n" + request("b")])
    held.files["output"] = [result("a")]
    held.batch["output_file_id"] = "output"
    await retried(held)
    assert held.uploaded == request("b") + b"\n"


async def test_an_empty_input_file_leaves_nothing() -> None:
    with pytest.raises(ProviderConflict, match="nothing is left to retry"):
        await retried(Held(input=[b"\n"]))


async def test_a_batch_without_an_input_file() -> None:
    held = Held()
    held.batch["input_file_id"] = None
    with pytest.raises(ProviderNotFound, match="batch_1 has no input file"):
        await retried(held)


async def test_a_batch_that_can_change() -> None:
    held = Held(input=[request("a")])
    held.batch["status"] = "scheduling"
    with pytest.raises(BatchNotFinished, match="batch_1 is scheduling"):
        await retried(held)


async def test_a_line_that_is_too_long_to_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = result_lines.Lines.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(result_lines.Lines.__init__, "__kwdefaults__", {**defaults, "longest": 100})
    held = Held(input=[request("a") + b"\n" + request("b", body="x" * 200)])
    with pytest.raises(ProviderBadResponse, match="line 2 of the input file of batch_1"):
        await retried(held)
    assert held.created == {}
