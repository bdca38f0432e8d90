"""UploadFile: what a caller gets, and what the provider received for it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgate.v1 import file_service_pb2 as pb
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles, upload_messages
from tests.status import Failure, failure_of
from tests.waiting import all_file_ids, eventually, no_task_but, tasks, uploads_over

DAY = 86400
LINES = (
    b'\xef\xbb\xbf{"custom_id":"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}\r\n{"custom_id":"2"}\n' * 3
)
PATHS = {
    "openai": "/v1/files",
    "azure": "/openai/v1/files",
    "azure-dated": "/openai/files",
    "azure-preview": "/openai/files",
}
# Examples share the gateway and its account, which grow no state that matters here.
SHARED = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def metadata(**fields: Any) -> pb.UploadFileRequest:
    fields = {"filename": "a.jsonl", "purpose": "batch", **fields}
    return pb.UploadFileRequest(
        metadata=pb.UploadFileMetadata(**{"jsonl_check": pb.JSONL_CHECK_OFF, **fields})
    )


def chunk(content: bytes) -> pb.UploadFileRequest:
    return pb.UploadFileRequest(chunk=content)


async def failed(
    gateway: Gateway,
    messages: Iterator[pb.UploadFileRequest] | AsyncIterator[pb.UploadFileRequest],
) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.UploadFile(messages)
    return failure_of(caught.value)


async def sent(account: Account) -> dict[str, Any]:
    """The one upload that reached the provider."""
    (request,) = await uploads_over(account)
    return request


# --------------------------------------------------------------------------- what goes through


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(LINES)])
async def test_chunk_borders_may_fall_anywhere(gateway: Gateway, size: int) -> None:
    """In a UTF-8 character, a line, a CRLF, the byte order mark: the bytes stay as they are."""
    answer = await gateway.upload(LINES, chunk=size)
    assert answer.file.size_bytes == len(LINES)
    assert answer.report == pb.UploadReport(
        received_bytes=len(LINES),
        sent_bytes=len(LINES),
        sha256=hashlib.sha256(LINES).hexdigest(),
    )
    assert await gateway.download(answer.file.id) == LINES


@SHARED
@given(chunks=st.lists(st.binary(max_size=40), min_size=1, max_size=20))
async def test_any_chunks_arrive_as_one_content(gateway: Gateway, chunks: list[bytes]) -> None:
    """Empty chunks between others are allowed."""
    messages = [metadata(purpose="user_data", provider="openai"), *map(chunk, chunks)]
    answer = await gateway.files.UploadFile(iter(messages))
    assert answer.file.size_bytes == answer.report.sent_bytes == sum(map(len, chunks))
    assert answer.report.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("known", [True, False])
async def test_content_length_goes_upstream_where_the_size_is_known(
    gateway: Gateway, account: Account, provider: str, known: bool
) -> None:
    size: dict[str, Any] = {"size_bytes": len(LINES)} if known else {}
    await gateway.upload(LINES, provider=provider, **size)
    request = await sent(account)
    assert request["path"] == PATHS[provider]
    if known:
        assert int(request["headers"]["content-length"]) == request["received_bytes"]
        assert "transfer-encoding" not in request["header_names"]
    else:
        assert request["headers"]["transfer-encoding"] == "chunked"
        assert "content-length" not in request["header_names"]
    assert [part["name"] for part in request["parts"]] == ["purpose", "file"]
    assert request["parts"][1]["size"] == len(LINES)


async def test_an_empty_file_is_one_empty_chunk(gateway: Gateway, account: Account) -> None:
    empty = await gateway.upload(b"", purpose="user_data", size_bytes=0)
    assert empty.file.size_bytes == empty.report.received_bytes == 0
    assert empty.report.sha256 == hashlib.sha256().hexdigest()
    assert (await sent(account))["parts"][1]["size"] == 0


@pytest.mark.parametrize("provider", PROFILES)
async def test_the_file_part_always_has_a_content_type(
    gateway: Gateway, account: Account, provider: str
) -> None:
    """Azure refuses a file part without one."""
    await gateway.upload(b"{}\n", provider=provider)
    assert (await sent(account))["parts"][1]["content_type"] == "application/octet-stream"


async def test_the_content_type_is_the_callers(gateway: Gateway, account: Account) -> None:
    await gateway.upload(b"{}\n", content_type="application/jsonl; charset=utf-8")
    (part,) = [one for one in (await sent(account))["parts"] if one["name"] == "file"]
    assert part["content_type"] == "application/jsonl; charset=utf-8"


@pytest.mark.parametrize("content_type", ["text", "a/b\r\nx: y", "a/b\n", "ä/b", "/", "a/" * 99])
async def test_a_content_type_that_is_none_is_refused(
    gateway: Gateway, account: Account, content_type: str
) -> None:
    failure = await failed(
        gateway,
        upload_messages(b"", filename="a.jsonl", purpose="batch", content_type=content_type),
    )
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert list(failure.fields) == ["metadata.content_type"]
    assert await account.requests() == []


@pytest.mark.parametrize("purpose", ["assistants", "vision", "user_data", "evals", "fine-tune"])
async def test_purposes_are_the_providers(gateway: Gateway, account: Account, purpose: str) -> None:
    assert (await gateway.upload(b"x", purpose=purpose)).file.purpose == purpose


async def test_a_purpose_unknown_to_the_provider_is_its_to_refuse(gateway: Gateway) -> None:
    failure = await failed(gateway, upload_messages(b"x", filename="a", purpose="of-the-future"))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
    assert failure.metadata["http_status"] == "400"
    assert "of-the-future" in failure.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"purpose": ""}, "metadata.purpose"),
        ({"purpose": "a b"}, "metadata.purpose"),
        ({"purpose": "a\r\nb"}, "metadata.purpose"),
        ({"purpose": "ä"}, "metadata.purpose"),
        ({"filename": ""}, "metadata.filename"),
        ({"filename": "é" * 257}, "metadata.filename"),
        ({"size_bytes": -1}, "metadata.size_bytes"),
        ({"sha256": "00"}, "metadata.sha256"),
        ({"sha256": "g" * 64}, "metadata.sha256"),
        ({"jsonl_check": 7}, "metadata.jsonl_check"),
        ({"endpoint": "/v1/" + "x" * 10_000}, "metadata.endpoint"),
        ({"expires_after": Duration(seconds=0)}, "metadata.expires_after"),
        ({"expires_after": Duration(seconds=-5)}, "metadata.expires_after"),
        ({"expires_after": Duration(seconds=5, nanos=1)}, "metadata.expires_after"),
    ],
)
async def test_wrong_metadata_is_refused_before_anything_is_sent(
    gateway: Gateway, account: Account, fields: dict[str, Any], field: str
) -> None:
    failure = await failed(gateway, iter([metadata(**fields), chunk(b"x")]))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert list(failure.fields) == [field]
    assert await account.requests() == []


# --------------------------------------------------------------------------- file names


@SHARED
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
async def test_a_file_name_cannot_break_the_multipart_header(
    gateway: Gateway, account: Account, name: str
) -> None:
    """Quotes, newlines, path parts, non-ASCII letters: two parts come, with two headers."""
    if name.startswith(" ") or name.endswith(" ") or "\\" in name:
        name = f"-{name}-".replace("\\", "/")
    await gateway.upload(b"x", filename=name, purpose="user_data")
    purpose, file = (await uploads_over(account))[-1]["parts"]
    assert purpose["name"] == "purpose"
    assert purpose["header_names"] == ["content-disposition"]
    assert file["name"] == "file"
    assert file["header_names"] == ["content-disposition", "content-type"]
    assert file["content_type"] == "application/octet-stream"
    assert file["size"] == 1


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        ('a"b.jsonl', "a%22b.jsonl"),
        ("a\r\nX-Evil: 1\r\n\r\nb.jsonl", "a%0D%0AX-Evil: 1%0D%0A%0D%0Ab.jsonl"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("Größe-日本-😀.jsonl", "Größe-日本-😀.jsonl"),
        ("n" * 512, "n" * 512),
        ("a;b=c.jsonl", "a;b=c.jsonl"),
    ],
)
async def test_file_names_arrive(
    gateway: Gateway, account: Account, name: str, arrives: str
) -> None:
    answer = await gateway.upload(b"x", filename=name, purpose="user_data")
    assert answer.file.filename == arrives
    assert (await sent(account))["parts"][1]["filename"] == arrives


async def test_a_file_name_is_at_most_512_bytes(gateway: Gateway, account: Account) -> None:
    failure = await failed(gateway, iter([metadata(filename="n" * 513), chunk(b"x")]))
    assert failure.reason == "INVALID_FIELD"
    assert "512 bytes" in failure.fields["metadata.filename"]
    assert await account.requests() == []


# --------------------------------------------------------------------------- what is verified


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size_bytes": len(LINES) + 1}, "size differs"),
        ({"size_bytes": len(LINES) - 1}, "size differs"),
        ({"size_bytes": 0}, "size differs"),
        ({"sha256": "0" * 64}, "sha256 differs"),
        ({"sha256": "0" * 64, "size_bytes": len(LINES)}, "sha256 differs"),
    ],
)
async def test_a_wrong_size_or_sha256_is_data_loss_and_leaves_no_file(
    gateway: Gateway, account: Account, provider: str, wrong: dict[str, Any], said: str
) -> None:
    before = tasks()
    failure = await failed(
        gateway,
        upload_messages(
            LINES, chunk=50, provider=provider, filename="a.jsonl", purpose="batch", **wrong
        ),
    )
    assert (failure.code, failure.reason) == ("DATA_LOSS", "CHECKSUM_MISMATCH")
    assert said in failure.message
    await no_task_but(before)
    assert not any(one["body_complete"] for one in await uploads_over(account))
    assert await all_file_ids(account) == []


async def test_a_right_sha256_may_be_in_capitals(gateway: Gateway) -> None:
    digest = hashlib.sha256(LINES).hexdigest().upper()
    assert (await gateway.upload(LINES, sha256=digest)).report.sha256 == digest.lower()


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "without a message"),
        ([chunk(b"x")], "not a chunk"),
        ([chunk(b"x"), metadata()], "not a chunk"),
        ([pb.UploadFileRequest()], "must carry metadata"),
        ([metadata()], "no chunk followed"),
        ([metadata(), metadata()], "after the first must carry a chunk"),
        ([metadata(), chunk(b"x"), metadata()], "after the first must carry a chunk"),
        ([metadata(), chunk(b"x"), pb.UploadFileRequest()], "after the first must carry a chunk"),
        ([metadata(size_bytes=1), chunk(b"x"), metadata()], "after the first must carry a chunk"),
    ],
)
async def test_messages_in_a_wrong_order_are_refused_and_leave_no_file(
    gateway: Gateway, account: Account, messages: list[pb.UploadFileRequest], said: str
) -> None:
    """A chunk first, metadata twice, no chunk at all, no message at all."""
    before = tasks()
    failure = await failed(gateway, iter(messages))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "UPLOAD_PROTOCOL")
    assert said in failure.message
    await no_task_but(before)
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_a_message_over_the_limit_is_refused_by_grpc_and_leaves_no_file(
    open_gateway: OpenGateway, account: Account
) -> None:
    before = tasks()
    gateway = await open_gateway(
        {
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {"max_message_bytes": 100_000},
        }
    )
    running = tasks() - before
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(bytes(300_001), chunk=100_001)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await no_task_but(before | running)
    await uploads_over(account)
    assert await account.file_ids() == []
    assert (await gateway.upload(bytes(300_000), chunk=99_000)).file.id


@pytest.mark.parametrize("purpose", ["batch", "user_data"])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_over_the_profiles_limit_is_refused_at_once(
    open_gateway: OpenGateway, account: Account, purpose: str, announced: bool
) -> None:
    """When it is announced: before a byte. Else when the limit is reached, not at the end."""
    limits = {"max_upload_bytes": 300_000, "max_batch_file_bytes": 200_000}
    gateway = await open_gateway({"providers": {"openai": profiles(account)["openai"] | limits}})
    limit = 200_000 if purpose == "batch" else 300_000
    assert (await gateway.upload(bytes(limit), purpose=purpose, chunk=50_000)).file.id
    size = {"size_bytes": limit + 1} if announced else {}
    never_ends = asyncio.Event()

    async def messages() -> AsyncIterator[pb.UploadFileRequest]:
        yield metadata(purpose=purpose, **size)
        if not announced:
            for _ in range(limit // 50_000):
                yield chunk(bytes(50_000))
            yield chunk(b"1")
        await never_ends.wait()

    failure = await failed(gateway, messages())
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "FILE_TOO_LARGE")
    assert f"{limit} bytes" in failure.message
    assert failure.metadata["provider"] == "openai"
    assert len(await uploads_over(account)) == (1 if announced else 2)
    assert len(await account.file_ids()) == 1


# --------------------------------------------------------------------------- expiry


@pytest.mark.parametrize(
    ("provider", "names", "days"),
    [
        ("openai", ["expires_after[anchor]", "expires_after[seconds]"], 1),
        ("openai", ["expires_after[anchor]", "expires_after[seconds]"], 30),
        ("azure", ["expires_after.anchor", "expires_after.seconds"], 14),
        ("azure-preview", ["expires_after.anchor", "expires_after.seconds"], 30),
    ],
)
async def test_expiry_is_written_as_each_flavour_reads_it(
    gateway: Gateway, account: Account, provider: str, names: list[str], days: int
) -> None:
    answer = await gateway.upload(
        b"{}\n", provider=provider, expires_after=Duration(seconds=days * DAY)
    )
    lifetime = answer.file.expires_at.seconds - answer.file.created_at.seconds
    assert abs(lifetime - days * DAY) <= 1
    parts = [part["name"] for part in (await sent(account))["parts"]]
    assert parts == ["purpose", *names, "file"]


@pytest.mark.parametrize(("provider", "days"), [("openai", 30), ("azure", 0), ("azure-dated", 0)])
async def test_without_expiry_the_providers_own_default_holds(
    gateway: Gateway, provider: str, days: int
) -> None:
    file = (await gateway.upload(b"{}\n", provider=provider)).file
    if days:
        assert abs(file.expires_at.seconds - file.created_at.seconds - days * DAY) <= 1
    else:
        assert not file.HasField("expires_at")


async def test_expiry_unknown_to_the_api_version_is_refused(
    gateway: Gateway, account: Account
) -> None:
    """Ignored, the file would stay for ever."""
    failure = await failed(
        gateway, iter([metadata(provider="azure-dated", expires_after=Duration(seconds=14 * DAY))])
    )
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert "2024-10-21" in failure.fields["metadata.expires_after"]
    assert await account.requests() == []


@pytest.mark.parametrize(("provider", "seconds"), [("openai", 3599), ("azure", DAY)])
async def test_the_range_of_expiry_is_the_providers_to_check(
    gateway: Gateway, account: Account, provider: str, seconds: int
) -> None:
    failure = await failed(
        gateway,
        iter([metadata(provider=provider, expires_after=Duration(seconds=seconds)), chunk(b"{}")]),
    )
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
    assert "expires_after" in failure.message
    assert await all_file_ids(account) == []


# --------------------------------------------------------------------------- which provider


@pytest.mark.parametrize(
    ("provider", "code", "reason"),
    [("", "INVALID_ARGUMENT", "PROVIDER_REQUIRED"), ("aws", "NOT_FOUND", "PROVIDER_UNKNOWN")],
)
async def test_a_provider_that_is_not_chosen_rightly_is_refused_at_once(
    open_gateway: OpenGateway, account: Account, provider: str, code: str, reason: str
) -> None:
    """The caller has not even sent its chunks."""
    gateway = await open_gateway({"providers": profiles(account)})
    never_ends = asyncio.Event()

    async def messages() -> AsyncIterator[pb.UploadFileRequest]:
        yield metadata(provider=provider)
        await never_ends.wait()

    failure = await failed(gateway, messages())
    assert (failure.code, failure.reason) == (code, reason)
    assert all(name in failure.message for name in PROFILES)
    assert await account.requests() == []


async def test_azures_full_quota_is_told_as_such(gateway: Gateway, account: Account) -> None:
    """400 quotaExceeded, not 429: waiting does not help."""
    await account.settings(max_batch_files=1)
    await gateway.upload(b"{}\n", provider="azure")
    failure = await failed(gateway, iter([metadata(provider="azure"), chunk(b"{}\n")]))
    assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "PROVIDER_QUOTA_EXCEEDED")
    assert failure.retry_seconds is None
    assert list(failure.quotas) == ["provider:azure"]
    assert failure.metadata["provider_code"] == "quotaExceeded"
    # A file that expires counts against another quota.
    month = Duration(seconds=30 * DAY)
    assert (await gateway.upload(b"{}\n", provider="azure", expires_after=month)).file.id


async def test_eventually_tells_what_did_not_come() -> None:
    with pytest.raises(AssertionError, match="not within"):
        await eventually(lambda: False, timeout_seconds=0.02)
