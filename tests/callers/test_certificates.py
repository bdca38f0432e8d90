"""The names in a caller's certificate, as they arrive over real connections."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate_server.callers.certificates import AlternativeName, alternative_names
from tests.certificates import Authority, Issued

Context = Mapping[str, Iterable[bytes]]
Connect = Callable[[grpc.ChannelCredentials | None], Awaitable[Context]]
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
SPIFFE = "spiffe://mesh/ns/team-a/sa/worker"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


Open = Callable[[grpc.ServerCredentials | None], Awaitable[Connect]]


@pytest.fixture
async def door() -> AsyncIterator[Open]:
    """Opens a server; what that gives calls it once and returns the connection's auth context."""
    async with AsyncExitStack() as stack:

        async def open_door(credentials: grpc.ServerCredentials | None) -> Connect:
            seen: list[Context] = []

            async def call(
                request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]
            ) -> bytes:
                seen.append(context.auth_context())
                return request

            server = grpc.aio.server()
            handler: Any = grpc.unary_unary_rpc_method_handler(call)
            server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler("Door", {"Call": handler})]
            )
            port = (
                server.add_secure_port("127.0.0.1:0", credentials)
                if credentials
                else server.add_insecure_port("127.0.0.1:0")
            )
            await server.start()
            stack.push_async_callback(server.stop, None)

            async def connect(credentials: grpc.ChannelCredentials | None) -> Context:
                target = f"localhost:{port}"
                async with (
                    grpc.aio.secure_channel(target, credentials, options=OWN_CONNECTION)
                    if credentials
                    else grpc.aio.insecure_channel(target, options=OWN_CONNECTION)
                ) as channel:
                    call: Any = channel.unary_unary("/Door/Call")
                    await call(b"", timeout=10)
                return seen.pop()

            return connect

        yield open_door


def server_credentials(authority: Authority, *, mutual: bool) -> grpc.ServerCredentials:
    server = authority.issue("server")
    return grpc.ssl_server_credentials(
        [(server.key, server.certificate)],
        root_certificates=authority.certificate,
        require_client_auth=mutual,
    )


def channel_credentials(authority: Authority, client: Issued | None) -> grpc.ChannelCredentials:
    if client is None:
        return grpc.ssl_channel_credentials(authority.certificate)
    return grpc.ssl_channel_credentials(authority.certificate, client.key, client.certificate)


def dns(name: str) -> AlternativeName:
    return AlternativeName("dns", name)


def uri(text: str) -> AlternativeName:
    return AlternativeName("uri", text)


@pytest.mark.parametrize(
    ("san", "names"),
    [
        (["worker.mesh"], (dns("worker.mesh"),)),
        (["b.mesh", "a.mesh"], (dns("b.mesh"), dns("a.mesh"))),
        (["Worker.MESH", "*.mesh"], (dns("worker.mesh"), dns("*.mesh"))),
        ([SPIFFE], (uri(SPIFFE),)),
        (
            [SPIFFE, "worker.mesh", "10.0.0.1"],
            (dns("worker.mesh"), uri(SPIFFE)),
        ),
        (["https://mesh/Worker", "urn://x"], (uri("https://mesh/Worker"), uri("urn://x"))),
        # By the standard of SPIFFE these name nobody; the rest of the names still does.
        ([SPIFFE, "spiffe://mesh/ns/team-b", "worker.mesh"], (dns("worker.mesh"),)),
        ([SPIFFE, "https://mesh/worker"], (uri("https://mesh/worker"),)),
        (["SPIFFE://mesh/ns/team-a/sa/worker"], ()),
        (["10.0.0.1", "::1"], ()),
        # A common name alone is none of a caller's names.
        ([], ()),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
async def test_the_names_of_a_verified_certificate(
    door: Open, authority: Authority, san: list[str], names: tuple[AlternativeName, ...]
) -> None:
    connect = await door(server_credentials(authority, mutual=True))
    client = authority.issue("worker.mesh", san=san)
    assert alternative_names(await connect(channel_credentials(authority, client))) == names


async def test_a_dns_name_spelled_as_a_uri_is_no_uri(door: Open, authority: Authority) -> None:
    """It is in gRPC's one list of all SANs; an authority for DNS names alone may not make a URI."""
    connect = await door(server_credentials(authority, mutual=True))
    client = authority.issue("worker", san=[f"dns={SPIFFE}"])
    context = await connect(channel_credentials(authority, client))
    assert list(context["x509_subject_alternative_name"]) == [SPIFFE.encode()]
    assert alternative_names(context) == (dns(SPIFFE),)


async def test_a_certificate_that_nobody_asked_for(door: Open, authority: Authority) -> None:
    """Without mutual TLS no certificate is sent, and so none is told unverified."""
    connect = await door(server_credentials(authority, mutual=False))
    client = authority.issue("worker", san=[SPIFFE, "worker.mesh"])
    assert alternative_names(await connect(channel_credentials(authority, client))) == ()
    assert alternative_names(await connect(channel_credentials(authority, None))) == ()


async def test_plaintext(door: Open) -> None:
    connect = await door(None)
    assert alternative_names(await connect(None)) == ()


async def test_who_is_not_verified_does_not_come_in(
    door: Open, authority: Authority, tmp_path: Path
) -> None:
    connect = await door(server_credentials(authority, mutual=True))
    foreign = Authority(tmp_path, "foreign").issue("worker", san=[SPIFFE])
    for client in (None, foreign):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await connect(channel_credentials(authority, client))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("kind", [b"insecure", b"", b"alts"])
def test_names_count_only_under_tls(kind: bytes) -> None:
    names = {"peer_dns": [b"a"], "peer_uri": [b"https://a"]}
    assert alternative_names({**names, "transport_security_type": [kind]}) == ()
    assert alternative_names(names) == ()
    assert alternative_names({**names, "transport_security_type": [b"ssl"]}) == (
        dns("a"),
        uri("https://a"),
    )


@pytest.mark.parametrize("name", ["ä.mesh".encode(), b"a\x00.mesh", b"a\n.mesh", b"\xff"])
def test_what_cannot_be_a_name_names_nobody(name: bytes) -> None:
    context = {"transport_security_type": [b"ssl"], "peer_dns": [name, b"b.mesh"]}
    assert alternative_names(context) == (dns("b.mesh"),)
