"""SubmitBatch: rows in, a batch out, and nothing left behind if it fails."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from batchgate.v1 import batch_pb2, batch_service_pb2
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually

ENDPOINT = "/v1/chat/completions"
Message = batch_service_pb2.SubmitBatchRequest
Row = batch_service_pb2.BatchLine


def body(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Say hello.\nThen go."}], **more}


def row(custom_id: str, **more: Any) -> Row:
    return Row(custom_id=custom_id, body_json=json.dumps(body(**more)))


def metadata(provider: str = "", **fields: Any) -> Message:
    fields = {"endpoint": ENDPOINT, "model": "gpt-4o-mini", **fields}
    return Message(metadata=batch_service_pb2.SubmitBatchMetadata(provider=provider, **fields))


def lines(*rows: Row) -> Message:
    return Message(lines=batch_service_pb2.BatchLines(lines=rows))


async def submit(gateway: Gateway, *messages: Message) -> batch_service_pb2.SubmitBatchResponse:
    return await gateway.batches.SubmitBatch(iter(messages))


async def refused(gateway: Gateway, messages: Iterator[Message] | list[Message]) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.batches.SubmitBatch(iter(messages))
    return failure_of(raised.value)


async def nothing_left(account: Account, provider: str) -> bool:
    return not await account.file_ids(azure=provider != "openai")


@pytest.mark.parametrize("provider", PROFILES)
async def test_rows_become_a_batch(gateway: Gateway, provider: str) -> None:
    struct = ParseDict(body(model="gpt-4o", max_tokens=5, temperature=0.5), Struct())
    answer = await submit(
        gateway,
        metadata(provider, metadata={"team": "blue"}, model="gpt-4o"),
        lines(row("one"), Row(custom_id="zwei ä", body_struct=struct)),
        lines(),
        lines(row("three")),
    )
    assert answer.batch.provider == provider
    assert answer.batch.input_file_id == answer.file.id
    assert dict(answer.batch.metadata) == {"team": "blue"}
    assert answer.batch.completion_window == "24h"
    assert (answer.file.filename, answer.file.purpose) == ("batch.jsonl", "batch")
    content = await gateway.download(answer.file.id, provider=provider)
    assert content.endswith(b"}\n")
    rows = [json.loads(line) for line in content.splitlines()]
    assert rows[1] == {
        "custom_id": "zwei ä",
        "method": "POST",
        "url": ENDPOINT,
        "body": body(model="gpt-4o", max_tokens=5, temperature=0.5),
    }
    assert b'"max_tokens":5,' in content or b'"max_tokens":5}' in content
    assert [row["custom_id"] for row in rows] == ["one", "zwei ä", "three"]
    assert rows[2]["body"] == body(model="gpt-4o")
    report = answer.report
    assert report.line_count == 3
    assert report.sent_bytes == len(content)
    assert report.sha256 == hashlib.sha256(content).hexdigest()
    assert 0 < report.received_bytes < report.sent_bytes
    assert (list(report.models), list(report.urls)) == (["gpt-4o"], [ENDPOINT])


async def test_the_batch_runs_to_its_end(gateway: Gateway) -> None:
    answer = await submit(gateway, metadata(), lines(*(row(f"row-{n}") for n in range(20))))
    request = batch_service_pb2.GetBatchRequest(batch_id=answer.batch.id)
    batch = answer.batch
    while batch.status != batch_pb2.BATCH_STATUS_COMPLETED:
        assert batch.status != batch_pb2.BATCH_STATUS_FAILED
        batch = (await gateway.batches.GetBatch(request)).batch
    assert batch.request_counts.completed == 20


async def test_many_small_messages_and_one_large_are_the_same_file(gateway: Gateway) -> None:
    rows = [row(f"row-{n}", n=n) for n in range(500)]
    small = await submit(gateway, metadata(), *(lines(each) for each in rows))
    large = await submit(gateway, metadata(), lines(*rows))
    assert small.report.sha256 == large.report.sha256
    assert small.file.size_bytes == large.file.size_bytes == large.report.sent_bytes


async def test_models_and_urls_take_the_profiles_form(
    account: Account, open_gateway: OpenGateway
) -> None:
    azure = {**profiles(account)["azure"], "models": {"gpt-4o": "mine"}, "url_prefix": ""}
    gateway = await open_gateway({"providers": {"azure": azure}})
    rows = [row("a"), row("b", model="gpt-4o"), row("c", model="mine")]
    answer = await submit(gateway, metadata(model="gpt-4o", request_id="1"), lines(*rows))
    sent = [json.loads(line) for line in (await gateway.download(answer.file.id)).splitlines()]
    assert [line["body"]["model"] for line in sent] == ["mine"] * 3
    assert {line["url"] for line in sent} == {"/chat/completions"}
    assert list(answer.report.models) == ["gpt-4o", "mine"]
    assert list(answer.report.urls) == [ENDPOINT]
    assert answer.report.rewritten_lines == 2
    again = await submit(gateway, metadata(model="gpt-4o", request_id="1"), lines(*rows))
    assert again.batch.id == answer.batch.id


async def test_rows_of_several_models(gateway: Gateway, account: Account) -> None:
    rows = [row("a"), row("b", model="gpt-4o"), row("c")]
    failure = await refused(gateway, [metadata(), lines(*rows)])
    assert failure.reason == "INVALID_JSONL"
    assert failure.fields["lines[1].body"].startswith("model_mismatch: ")
    assert await nothing_left(account, "openai")


@pytest.mark.parametrize(
    ("messages", "reason", "said"),
    [
        ([], "UPLOAD_PROTOCOL", "without a message"),
        ([lines(row("a"))], "UPLOAD_PROTOCOL", "first message must carry metadata"),
        ([Message()], "UPLOAD_PROTOCOL", "first message must carry metadata"),
        ([metadata(), metadata()], "UPLOAD_PROTOCOL", "after the first must carry lines"),
        ([metadata(), Message()], "UPLOAD_PROTOCOL", "after the first must carry lines"),
        ([metadata()], "UPLOAD_PROTOCOL", "no row"),
        ([metadata(), lines(), lines()], "UPLOAD_PROTOCOL", "no row"),
        ([metadata(endpoint="")], "INVALID_FIELD", "metadata.endpoint: is required"),
        ([metadata(model="a b")], "INVALID_FIELD", "metadata.model"),
        ([metadata(filename="x" * 513)], "INVALID_FIELD", "metadata.filename"),
        ([metadata(completion_window="a b")], "INVALID_FIELD", "metadata.completion_window"),
        ([metadata(input_expires_after=Duration())], "INVALID_FIELD", "input_expires_after"),
        ([metadata(output_expires_after=Duration())], "INVALID_FIELD", "output_expires_after"),
        ([metadata(metadata={"batchgate_x": ""})], "INVALID_FIELD", "metadata.metadata"),
        ([metadata(request_id="ä")], "INVALID_FIELD", "metadata.request_id"),
        ([metadata(provider="other")], "PROVIDER_UNKNOWN", "other"),
    ],
)
async def test_bad_messages(
    gateway: Gateway, account: Account, messages: list[Message], reason: str, said: str
) -> None:
    failure = await refused(gateway, messages)
    assert failure.reason == reason
    assert said in failure.message
    assert await nothing_left(account, "openai")


@pytest.mark.parametrize("field", ["input_expires_after", "output_expires_after"])
async def test_a_lifetime_that_an_api_version_does_not_know(
    gateway: Gateway, account: Account, field: str
) -> None:
    asked = metadata("azure-dated", **{field: Duration(seconds=1_209_600)})
    failure = await refused(gateway, [asked, lines(row("a"))])
    assert list(failure.fields) == [f"metadata.{field}"]
    assert not await account.requests()


@pytest.mark.parametrize("provider", PROFILES)
async def test_all_faulty_rows_are_named_in_one_answer(
    gateway: Gateway, account: Account, provider: str
) -> None:
    nan = Struct()
    nan["n"] = float("nan")
    failure = await refused(
        gateway,
        [
            metadata(provider),
            lines(row("good"), Row(custom_id="a", body_json='{"a": '), row("fine")),
            lines(Row(custom_id="b"), row("good")),
            lines(),
            lines(Row(body_json="{}"), Row(custom_id="c", body_struct=nan), row("last")),
        ],
    )
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_JSONL")
    assert {field: text.split(":")[0] for field, text in failure.fields.items()} == {
        "lines[1].body_json": "invalid_json_line",
        "lines[3].body": "missing_required_parameter",
        "lines[4].custom_id": "duplicate_custom_id",
        "lines[5].custom_id": "missing_required_parameter",
        "lines[6].body_struct": "invalid_json_line",
    }
    assert failure.message.startswith("lines[1].body_json: ")
    assert "and 4 more" in failure.message
    assert await nothing_left(account, provider)


async def test_many_faults_in_a_large_stream_still_arrive(
    gateway: Gateway, account: Account
) -> None:
    good = [row(f"row-{n}") for n in range(1000)]

    def messages() -> Iterator[Message]:
        yield metadata()
        yield lines(*good)
        for n in range(300):
            yield lines(Row(custom_id=f"bad-{n}", body_json="{" + "x" * 1000))

    failure = await refused(gateway, messages())
    assert failure.reason == "INVALID_JSONL"
    assert "and 99 more" in failure.message
    assert len(failure.fields) == 100, "each shortened to what headers have room for"
    assert next(iter(failure.fields)) == "lines[1000].body_json"
    assert await nothing_left(account, "openai")


async def test_one_row_too_many(account: Account, open_gateway: OpenGateway) -> None:
    openai = {**profiles(account)["openai"], "max_requests_per_batch": 3}
    gateway = await open_gateway({"providers": {"openai": openai}})
    failure = await refused(gateway, [metadata(), *(lines(row(f"{n}")) for n in range(9))])
    assert failure.reason == "INVALID_JSONL"
    assert list(failure.fields) == ["lines[3]"]
    assert failure.fields["lines[3]"].startswith("too_many_tasks: ")
    assert await nothing_left(account, "openai")
    await submit(gateway, metadata(), lines(*(row(f"{n}") for n in range(3))))


async def test_a_file_that_grows_too_large(account: Account, open_gateway: OpenGateway) -> None:
    openai = {**profiles(account)["openai"], "max_batch_file_bytes": 200_000}
    gateway = await open_gateway({"providers": {"openai": openai}})
    messages = [metadata(), *(lines(row(f"{n}", text="x" * 10_000)) for n in range(40))]
    failure = await refused(gateway, messages)
    assert failure.reason == "FILE_TOO_LARGE"
    assert "200000" in failure.message
    assert await nothing_left(account, "openai")


CREATING = {"method": "POST", "path": "*/batches"}


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_refused_creation_leaves_no_file(
    gateway: Gateway, account: Account, provider: str
) -> None:
    error = {"error": {"message": "No more batches today.", "type": "x", "param": None}}
    await account.fault(kind="answer", status=400, body=error, **CREATING)
    failure = await refused(gateway, [metadata(provider), lines(row("a"))])
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
    assert "No more batches today." in failure.message
    assert "the uploaded file was deleted again" in failure.message
    assert await nothing_left(account, provider)


async def test_a_file_that_cannot_be_deleted_is_named(gateway: Gateway, account: Account) -> None:
    await account.fault(kind="answer", status=429, times=None, **CREATING)
    await account.fault(kind="answer", status=500, method="DELETE", path="*/files/*", times=None)
    failure = await refused(gateway, [metadata(), lines(row("a"))])
    assert failure.reason == "PROVIDER_RATE_LIMITED"
    assert failure.retry_seconds
    (file_id,) = await account.file_ids()
    assert f"the uploaded file {file_id} could not be deleted and remains" in failure.message


async def test_a_file_that_is_gone_already_counts_as_deleted(
    gateway: Gateway, account: Account
) -> None:
    await account.fault(kind="answer", status=403, **CREATING)
    await account.fault(kind="answer", status=404, method="DELETE", path="*/files/*", process=True)
    failure = await refused(gateway, [metadata(), lines(row("a"))])
    assert failure.reason == "PROVIDER_FORBIDDEN"
    assert "the uploaded file was deleted again" in failure.message


async def test_a_file_that_cannot_be_processed_is_deleted(
    gateway: Gateway, account: Account
) -> None:
    broken = {"id": "file-1", "status": "error", "status_details": "no model"}
    await account.fault(kind="answer", status=200, body=broken, method="GET", path="*/files/*")
    failure = await refused(gateway, [metadata("azure"), lines(row("a"))])
    assert failure.reason == "PROVIDER_CONFLICT"
    assert "no model" in failure.message
    assert "the uploaded file was deleted again" in failure.message
    assert await nothing_left(account, "azure")


async def test_with_an_unknown_outcome_the_file_stays(gateway: Gateway, account: Account) -> None:
    await account.fault(kind="reset", process=True, **CREATING)
    failure = await refused(gateway, [metadata(), lines(row("a"))])
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    (file_id,) = await account.file_ids()
    assert f"the uploaded file {file_id} was kept" in failure.message


async def test_a_caller_that_goes_away_mid_way_leaves_nothing(
    gateway: Gateway, account: Account
) -> None:
    more = asyncio.Event()
    sent = asyncio.Event()

    async def messages() -> AsyncIterator[Message]:
        yield metadata()
        yield lines(*(row(f"{n}", text="x" * 1000) for n in range(500)))
        sent.set()
        await more.wait()

    call = gateway.batches.SubmitBatch(messages())
    await sent.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    more.set()
    # The gateway's next answer comes after what it had to undo.
    await submit(gateway, metadata(), lines(row("a")))
    assert len(await account.file_ids()) == 1


async def test_a_caller_that_goes_away_while_the_file_is_pending(
    gateway: Gateway, account: Account
) -> None:
    pending = {"id": "file-1", "status": "pending"}
    await account.fault(
        kind="answer", status=200, body=pending, method="GET", path="*/files/*", times=None
    )
    call = gateway.batches.SubmitBatch(iter([metadata("azure-preview"), lines(row("a"))]))

    await arrived(account, "GET", "/files/")
    call.cancel()
    await eventually(lambda: nothing_left(account, "azure-preview"))


async def test_a_creation_that_waits_to_be_tried_again_is_not_without_its_caller(
    account: Account, open_gateway: OpenGateway
) -> None:
    profile = profiles(account)["openai"] | {"retry_cap_seconds": 1}
    gateway = await open_gateway({"providers": {"openai": profile}})
    await account.fault(kind="answer", status=429, headers={"retry-after-ms": "500"}, **CREATING)
    call = gateway.batches.SubmitBatch(iter([metadata(), lines(row("a"))]))

    async def creations() -> list[bool]:
        requests = await account.requests()
        return [bool(one["answered"]) for one in requests if one["path"] == "/v1/batches"]

    await eventually(lambda: _all(creations))
    call.cancel()
    await eventually(lambda: nothing_left(account, "openai"))
    assert await creations() == [True]


async def _all(look: Callable[[], Awaitable[list[bool]]]) -> bool:
    found = await look()
    return bool(found) and all(found)


async def test_a_file_is_deleted_again_also_when_the_caller_has_gone_and_that_fails_at_first(
    gateway: Gateway, account: Account
) -> None:
    await account.fault(kind="answer", status=429, delay=0.2, times=None, **CREATING)
    await account.fault(kind="answer", status=503, method="DELETE", path="*/files/*", times=2)
    call = gateway.batches.SubmitBatch(iter([metadata(), lines(row("a"))]))
    await arrived(account, "POST", "/batches")
    call.cancel()
    await eventually(lambda: nothing_left(account, "openai"))
    asked = [one["method"] for one in await account.requests() if "/batches" in one["path"]]
    assert asked.count("POST") == 1, "a creation is not tried again without its caller"


async def test_the_deadline_passes_while_the_batch_is_created(
    gateway: Gateway, account: Account
) -> None:
    """The creation goes on: only its outcome tells whether the file is needed."""
    await account.fault(kind="answer", status=429, delay=0.5, **CREATING)
    call = gateway.batches.SubmitBatch(iter([metadata(), lines(row("a"))]))

    await arrived(account, "POST", "/batches")
    call.cancel()
    await eventually(lambda: nothing_left(account, "openai"))


async def test_an_unclear_upload_is_told_as_such(gateway: Gateway, account: Account) -> None:
    await account.fault(kind="reset", process=True, method="POST", path="*/files")
    failure = await refused(gateway, [metadata(), lines(row("a"))])
    assert failure.reason == "OUTCOME_UNKNOWN"


async def test_an_error_reaches_a_caller_who_still_writes(
    account: Account, open_gateway: OpenGateway
) -> None:
    """Without the gateway's patience about one in ten of these is lost inside of grpc.aio."""
    openai = {**profiles(account)["openai"], "max_batch_file_bytes": 200_000}
    gateway = await open_gateway({"providers": {"openai": openai}})
    messages = [metadata(), *(lines(row(f"{n}", text="x" * 10_000)) for n in range(40))]
    for _ in range(40):
        assert (await refused(gateway, messages)).reason == "FILE_TOO_LARGE"


async def test_an_early_answer_ends_the_call(gateway: Gateway, account: Account) -> None:
    await account.fault(kind="early", status=401, method="POST", path="*/files")
    never = asyncio.Event()

    async def messages() -> AsyncIterator[Message]:
        yield metadata()
        yield lines(*(row(f"{n}", text="x" * 1000) for n in range(500)))
        await never.wait()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.batches.SubmitBatch(messages())
    assert failure_of(raised.value).reason == "PROVIDER_CREDENTIAL_REJECTED"


async def test_a_gateway_that_stops_undoes_first(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway({"providers": {"openai": profiles(account)["openai"]}})
    await account.fault(kind="answer", status=429, delay=0.3, **CREATING)
    call = gateway.batches.SubmitBatch(iter([metadata(), lines(row("a"))]))

    await arrived(account, "POST", "/batches")
    call.cancel()
    await gateway.application.stop(grace_seconds=0)
    assert await nothing_left(account, "openai")


async def test_a_creation_that_is_answered_with_no_batch(
    account: Account, open_gateway: OpenGateway
) -> None:
    """A provider that answers a creation with nothing usable: it may exist, the file stays."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/files"):
            return httpx.Response(200, json={"id": "file-1"})
        return httpx.Response(200, json={})

    gateway = await open_gateway(
        {"providers": {"openai": profiles(account)["openai"]}},
        transport=lambda _: httpx.MockTransport(answer),
    )
    failure = await refused(gateway, [metadata(), lines(row("a"))])
    assert failure.reason == "OUTCOME_UNKNOWN"
    assert "file-1 was kept" in failure.message


async def test_a_long_model_is_reported_in_part(gateway: Gateway) -> None:
    answer = await submit(gateway, metadata(), lines(row("a", model="m" * 5000)))
    assert list(answer.report.models) == ["m" * 256]


@pytest.mark.parametrize("endpoint", ["/chat/completions", "v1/chat/completions", "//v1/responses"])
async def test_an_endpoint_that_openai_does_not_take(
    gateway: Gateway, account: Account, endpoint: str
) -> None:
    failure = await refused(gateway, [metadata(endpoint=endpoint), lines(row("a"))])
    assert (failure.reason, list(failure.fields)) == ("INVALID_FIELD", ["metadata.endpoint"])
    assert "/v1/" in failure.fields["metadata.endpoint"]
    assert await account.requests() == []


@pytest.mark.parametrize("model", [{}, {"model": ""}])
async def test_a_row_without_a_model(
    gateway: Gateway, account: Account, model: dict[str, str]
) -> None:
    failure = await refused(gateway, [metadata(model=""), lines(row("a", **model))])
    assert failure.reason == "INVALID_JSONL"
    ((field, description),) = failure.fields.items()
    assert field.startswith("lines[0].body")
    assert description.startswith("missing_required_parameter: ")
    assert await nothing_left(account, "openai")
    moderation = Row(custom_id="a", body_json='{"input": "x"}')
    await submit(gateway, metadata(model="", endpoint="/v1/moderations"), lines(moderation))


async def test_a_row_that_asks_for_a_stream_is_warned_of(gateway: Gateway) -> None:
    struct = ParseDict(body(model="gpt-4o-mini", stream=True), Struct())
    rows = [row("a", stream=False), row("b", stream=True), Row(custom_id="c", body_struct=struct)]
    answer = await submit(gateway, metadata(), lines(*rows))
    content = await gateway.download(answer.file.id)
    warnings = answer.report.warnings
    assert [(one.line, one.custom_id, one.param) for one in warnings] == [
        (2, "b", "body.stream"),
        (3, "c", "body.stream"),
    ]
    assert all(content[one.byte_offset :].startswith(b'{"custom_id":') for one in warnings)
    assert content[warnings[0].byte_offset :].startswith(b'{"custom_id":"b"')
