"""The gateway behind nginx, by the lines of the README: TLS ended there, and passed through."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import (
    batch_pb2,
    batch_service_pb2,
    file_service_pb2,
    file_service_pb2_grpc,
    provider_service_pb2,
)
from batchgate_server.callers.tokens import digest, new_token
from tests.certificates import Authority, Issued
from tests.conftest import PROFILES, Gateway, upload_messages
from tests.services.lines import create
from tests.status import failure_of
from tests.test_readme import blocks, free_port
from tests.tls.conftest import OpenTLS, call, channel_to, refused, tls_of
from tests.tls.nginx import nginx

LARGE = 40_000_000
SPIFFE = "spiffe://mesh/ns/team-a/sa/worker"
FAST = {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02, "heartbeat_seconds": 0.05}


def server_block(number: int, **words: str) -> str:
    """One of the README's blocks with the addresses and files of a test put in."""
    text = blocks("TLS", "nginx")[number]
    for word, other in words.items():
        assert word in text
        text = text.replace(word, other)
    return text


@asynccontextmanager
async def terminating(directory: Path, server: Issued, address: str) -> AsyncIterator[str]:
    """The address of an nginx that ends TLS."""
    port = free_port()
    words = {
        "50443": f"127.0.0.1:{port}",
        "127.0.0.1:50051": address,
        "server.pem": str(server.certificate_file),
        "server.key": str(server.key_file),
    }
    async with nginx(directory, port=port, http=server_block(0, **words)):
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def passing(directory: Path, address: str) -> AsyncIterator[str]:
    """The address of an nginx that passes bytes on."""
    port = free_port()
    words = {"50443": f"127.0.0.1:{port}", "127.0.0.1:50051": address}
    async with nginx(directory, port=port, stream=server_block(1, **words)):
        yield f"127.0.0.1:{port}"


async def everything_works(gateway: Gateway) -> None:
    """A unary call, a large upload, a download, a watch, and errors with all of their details."""
    assert await call(gateway.channel) == list(PROFILES)
    content = bytes(LARGE)
    file = (await gateway.upload(content, filename="large.jsonl")).file
    assert file.size_bytes == LARGE
    assert await gateway.download(file.id) == content

    batch = await create(gateway, "openai")
    request = batch_service_pb2.WatchBatchRequest(provider="openai", batch_id=batch.id)
    events = [one async for one in gateway.batches.WatchBatch(request)]
    assert events[0].event == batch_service_pb2.WATCH_EVENT_SNAPSHOT
    assert events[-1].batch.status == batch_pb2.BATCH_STATUS_COMPLETED

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.GetFile(file_service_pb2.GetFileRequest(file_id="file-none"))
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert failure.trailing["x-request-id"]
    assert failure.trailing["x-provider-request-id"]

    # The longest one there is: it goes through in full.
    faults = b'{"custom_id": "x"}\n' * 500
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(faults, jsonl_check=file_service_pb2.JSONL_CHECK_STRICT)
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_JSONL")
    assert len(failure.fields) > 10


async def test_nginx_ends_tls(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    application = await open_tls(watch=FAST)
    async with terminating(tmp_path, server, application.address) as address:
        worker = authority.issue("worker", san=[SPIFFE])
        async with channel_to(address, authority, worker) as channel:
            await everything_works(Gateway(application, channel))
        async with channel_to(address, None) as channel:
            await refused(channel)


async def test_nginx_passes_tls_through(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    """The gateway is the one that asks for the caller's certificate, and gets it."""
    application = await open_tls(
        tls=tls_of(server, client_ca=authority.file),
        watch=FAST,
    )
    async with passing(tmp_path, application.address) as address:
        worker = authority.issue("worker", san=[SPIFFE])
        async with channel_to(address, authority, worker) as channel:
            await everything_works(Gateway(application, channel))
        async with channel_to(address, authority) as channel:
            await refused(channel)


def refused_upload(address: str, authority: Authority) -> grpc.StatusCode:
    """The code of a large upload that fails.

    Not by grpc.aio: where a refusal overtakes what is still sent, it often tells INTERNAL instead.
    """
    credentials = grpc.ssl_channel_credentials(authority.certificate)
    messages = upload_messages(bytes(LARGE), filename="large.jsonl", purpose="batch")
    with grpc.secure_channel(address, credentials) as channel:
        stub = file_service_pb2_grpc.FileServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.UploadFile(messages, timeout=30)
    return caught.value.code()


async def test_who_calls_through_nginx(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    """A certificate ends where TLS ends; a token and bytes passed through arrive."""
    token = new_token()
    by_token = {"by-token": {"token_sha256": [digest(token)]}}
    plain = await open_tls(callers=by_token)
    secure = await open_tls(
        tls=tls_of(server, client_ca=authority.file),
        callers={**by_token, "by-name": {"san": [SPIFFE]}},
    )
    worker = authority.issue("worker", san=[SPIFFE])
    ends, passes = tmp_path / "ends", tmp_path / "passes"
    ends.mkdir()
    passes.mkdir()
    with capture_logs() as logs:
        async with (
            terminating(ends, server, plain.address) as address,
            channel_to(address, authority, worker) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel)
            assert failure_of(caught.value).reason == "CALLER_UNAUTHENTICATED"
            # Answered while it still sends.
            code = await asyncio.to_thread(refused_upload, address, authority)
            assert code == grpc.StatusCode.UNAUTHENTICATED
            await Gateway(plain, channel).providers.ListProviders(
                provider_service_pb2.ListProvidersRequest(),
                metadata=[("authorization", f"Bearer {token}")],
            )
        async with (
            passing(passes, secure.address) as address,
            channel_to(address, authority, worker) as channel,
        ):
            await call(channel)
    calls = [(line["caller"], line["code"]) for line in logs if line["event"] == "rpc"]
    refusal = ("", "UNAUTHENTICATED")
    assert calls == [refusal, refusal, ("by-token", "OK"), ("by-name", "OK")]
