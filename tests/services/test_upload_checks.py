"""Lines checked and rewritten on their way, over a real channel and real HTTP."""

import json
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2, file_service_pb2
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.status import failure_of

PROVIDERS = ("openai", "azure")
BY_PURPOSE = file_service_pb2.JSONL_CHECK_UNSPECIFIED


async def checked_upload(
    gateway: Gateway, content: bytes, **metadata: Any
) -> file_service_pb2.UploadFileResponse:
    """An upload that is checked where its purpose says so."""
    return await gateway.upload(content, **{"jsonl_check": BY_PURPOSE, **metadata})


def row(number: int, **changes: Any) -> bytes:
    line = {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]},
    }
    return json.dumps({**line, **changes}).encode() + b"\n"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_one_answer_names_all_faults_of_a_large_file(
    gateway: Gateway, account: Account, provider: str
) -> None:
    """Faults in lines 3, 31,207 and 50,000 of 50,000: all named, and the provider has no file."""
    lines = [row(number) for number in range(1, 50_001)]
    lines[2] = b'{"custom_id": "row-3", \n'
    lines[31_206] = row(1)
    lines[49_999] = row(50_000, url="/v1/embeddings")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, b"".join(lines), provider=provider)
    failure = failure_of(raised.value)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_JSONL")
    assert list(failure.fields) == ["line 3", "line 31207 custom_id", "line 50000 url"]
    assert failure.fields["line 31207 custom_id"].startswith("duplicate_custom_id: ")
    assert "3 faults" in failure.message
    assert await account.file_ids(azure=provider != "openai") == []


async def test_a_hundred_faults_fit_into_one_status(gateway: Gateway) -> None:
    """Clients refuse trailing metadata over 8 KiB: the details shrink, and none is left out."""
    content = b"".join(b'{"custom_id": %d}\n' % number for number in range(40_000, 41_000))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, content)
    failure = failure_of(raised.value)
    assert failure.reason == "INVALID_JSONL"
    assert len(failure.fields) == 100
    assert "100 or more faults" in failure.message


@pytest.mark.parametrize("size", [7, 256 * 1024])
async def test_off_passes_bytes_untouched(gateway: Gateway, size: int) -> None:
    content = bytes(range(256)) * 40 + b"\xef\xbb\xbf{"
    answer = await checked_upload(
        gateway,
        content,
        chunk=size,
        jsonl_check=file_service_pb2.JSONL_CHECK_OFF,
        size_bytes=len(content),
    )
    assert await gateway.download(answer.file.id) == content
    assert answer.report.line_count == 0


async def test_other_purposes_are_not_checked_unless_asked(gateway: Gateway) -> None:
    answer = await checked_upload(gateway, b"no json", purpose="user_data", filename="a.txt")
    assert answer.file.id
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, b"no json", jsonl_check=file_service_pb2.JSONL_CHECK_STRICT)
    assert failure_of(raised.value).reason == "INVALID_JSONL"


async def test_the_report_tells_what_passed(gateway: Gateway) -> None:
    content = b"\n".join([row(1).strip(), b"", row(2).strip()])
    report = (await checked_upload(gateway, content)).report
    assert report.line_count == 2
    assert list(report.models) == ["gpt-4o-mini"]
    assert list(report.urls) == ["/v1/chat/completions"]
    assert report.rewritten_lines == 0
    assert report.sent_bytes == report.received_bytes == len(content)
    assert not report.issues


async def test_validate_only_sends_nothing_and_reports_everything(
    gateway: Gateway, account: Account
) -> None:
    content = row(1) + b"[]\n" + row(1)
    answer = await checked_upload(gateway, content, validate_only=True)
    assert not answer.HasField("file")
    assert [(i.line, i.code, i.byte_offset) for i in answer.report.issues] == [
        (2, "invalid_json_line", len(row(1))),
        (3, "duplicate_custom_id", len(row(1)) + 3),
    ]
    assert answer.report.sent_bytes == 0
    assert answer.report.received_bytes == len(content)
    assert await account.requests() == []


async def test_the_endpoint_is_the_measure(gateway: Gateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, row(1), endpoint="/v1/embeddings")
    assert list(failure_of(raised.value).fields) == ["line 1 url"]


async def test_a_long_line_is_refused_without_being_held(open_gateway: OpenGateway) -> None:
    profile = {"kind": "openai", "api_key": "k", "max_line_bytes": 100_000}
    gateway = await open_gateway({"providers": {"openai": profile}})
    answer = await checked_upload(gateway, b"x" * 10_000_000, validate_only=True)
    assert [issue.code for issue in answer.report.issues] == ["line_too_long"]


async def test_one_input_file_works_on_both_providers(
    open_gateway: OpenGateway, account: Account
) -> None:
    """Aliases and the form of urls make the difference; all other bytes stay."""
    settings = profiles(account)
    settings["azure"] |= {"models": {"gpt-4o-mini": "my-deployment"}, "url_prefix": ""}
    gateway = await open_gateway({"providers": settings})
    content = row(1) + row(2)
    for provider in PROVIDERS:
        answer = await checked_upload(gateway, content, provider=provider, size_bytes=len(content))
        sent = await gateway.download(answer.file.id, provider=provider)
        if provider == "openai":
            assert sent == content
            assert answer.report.rewritten_lines == 0
        else:
            expected = content.replace(b"gpt-4o-mini", b"my-deployment")
            assert sent == expected.replace(b"/v1/chat", b"/chat")
            assert answer.report.rewritten_lines == 2
        assert answer.report.sent_bytes == len(sent)
        assert list(answer.report.models) == ["gpt-4o-mini"]
        created = await gateway.batches.CreateBatch(
            batch_service_pb2.CreateBatchRequest(
                provider=provider,
                input_file_id=answer.file.id,
                endpoint="/v1/chat/completions",
            )
        )
        expected_endpoint = "/v1/chat/completions" if provider == "openai" else "/chat/completions"
        assert created.batch.endpoint == expected_endpoint


@pytest.mark.parametrize(
    ("content", "issue"),
    [
        (row(1, url="/chat/completions"), "url_mismatch"),
        (row(1, url="v1/chat/completions"), "url_mismatch"),
        (row(1, body={"messages": []}), "missing_required_parameter"),
        (row(1, custom_id=""), "missing_required_parameter"),
        (b"\xef\xbb\xbf" + row(1), "byte_order_mark"),
    ],
)
async def test_what_a_batch_would_fail_for_is_found_before(
    gateway: Gateway, account: Account, content: bytes, issue: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, content)
    failure = failure_of(raised.value)
    assert failure.reason == "INVALID_JSONL"
    ((place, description),) = failure.fields.items()
    assert place.startswith("line 1")
    assert description.startswith(f"{issue}: ")
    assert await account.file_ids() == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_an_endpoint_is_a_path(gateway: Gateway, provider: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, row(1), provider=provider, endpoint="v1/chat/completions")
    assert list(failure_of(raised.value).fields) == ["metadata.endpoint"]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.batches.CreateBatch(
            batch_service_pb2.CreateBatchRequest(
                provider=provider, input_file_id="file-1", endpoint="v1/chat/completions"
            )
        )
    assert list(failure_of(raised.value).fields) == ["endpoint"]


@pytest.mark.parametrize("validate_only", [True, False])
async def test_a_file_that_is_something_else(gateway: Gateway, validate_only: bool) -> None:
    """One message says so, and none follows for its lines."""
    content = json.dumps([json.loads(row(number)) for number in range(500)], indent=2).encode()
    if validate_only:
        answer = await checked_upload(gateway, content, validate_only=True, chunk=1000)
        (issue,) = answer.report.issues
        assert (issue.line, "a JSON array, not JSON Lines" in issue.message) == (0, True)
        return
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await checked_upload(gateway, content, chunk=1000)
    failure = failure_of(raised.value)
    assert "1 fault, no file was created: file: invalid_json_line: the file is" in failure.message
    assert list(failure.fields) == ["file"]


@pytest.mark.parametrize(
    ("given", "at_openai"),
    [
        ("req.json", "req.json.jsonl"),
        ("REQ.JSONL", "REQ.JSONL.jsonl"),
        ("requests", "requests.jsonl"),
        ("requests.jsonl", "requests.jsonl"),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_name_that_the_provider_takes(
    gateway: Gateway, provider: str, given: str, at_openai: str
) -> None:
    """OpenAI would refuse the others once it has the whole file; Azure OpenAI takes any."""
    wanted = at_openai if provider == "openai" else given
    answer = await checked_upload(gateway, row(1), provider=provider, filename=given)
    assert answer.file.filename == wanted
    lines = batch_service_pb2.BatchLines(
        lines=[batch_service_pb2.BatchLine(custom_id="a", body_json='{"model": "gpt-4o"}')]
    )
    metadata = batch_service_pb2.SubmitBatchMetadata(
        provider=provider, endpoint="/v1/chat/completions", filename=given
    )
    submitted = await gateway.batches.SubmitBatch(
        iter(
            [
                batch_service_pb2.SubmitBatchRequest(metadata=metadata),
                batch_service_pb2.SubmitBatchRequest(lines=lines),
            ]
        )
    )
    assert submitted.file.filename == wanted
    other = await gateway.upload(b"x", provider=provider, filename="a.txt", purpose="assistants")
    assert other.file.filename == "a.txt"


STREAMS = row(2, body={"model": "gpt-4o-mini", "messages": [], "stream": True})


@pytest.mark.parametrize("validate_only", [True, False])
async def test_a_stream_is_a_warning(gateway: Gateway, validate_only: bool) -> None:
    answer = await checked_upload(gateway, row(1) + STREAMS, validate_only=validate_only)
    assert answer.HasField("file") is not validate_only
    assert not answer.report.issues
    (warning,) = answer.report.warnings
    assert (warning.line, warning.byte_offset) == (2, len(row(1)))
    assert (warning.code, warning.param) == ("unsupported_value", "body.stream")
    assert (warning.custom_id, '"stream": true' in warning.message) == ("row-2", True)
