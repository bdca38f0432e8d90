"""When a token is renewed: before its end, behind the calls' backs, and once for all."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest
from structlog.testing import capture_logs

from batchgate_server.errors import ProviderUnreachable
from batchgate_server.providers.entra import EntraCredential, Token

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Service:
    """Gives `token-1`, `token-2`…, each good for an hour and to be renewed after half of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.given = 0
        self.asked = 0
        self.down = False
        self.same = False
        self.open = asyncio.Event()
        self.open.set()
        self.who: list[str] = []

    async def token(self) -> Token:
        self.asked += 1
        self.who.append(WHO.get())
        await self.open.wait()
        if self.down:
            raise ProviderUnreachable("down")
        if not self.same or not self.given:
            self.given += 1
        return Token(f"token-{self.given}", self.now + 3600, self.now + 1800)

    def secrets(self) -> Sequence[str]:
        return ["secret"]

    async def aclose(self) -> None:
        self.down = True


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def credential(service: Service) -> EntraCredential:
    def now() -> float:
        return service.now

    return EntraCredential("azure", service, clock=now, ticks=now)


async def token(credential: EntraCredential) -> str:
    ((name, value),) = (await credential.proof()).headers
    assert name == "authorization"
    return value.removeprefix("Bearer ")


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_kept_while_it_is_good(credential: EntraCredential, service: Service) -> None:
    for service.now in (0.0, 1000.0, 1799.0):
        assert await token(credential) == "token-1"
    assert await credential.proof() is await credential.proof()
    assert service.asked == 1


async def test_it_is_renewed_behind_the_calls(
    credential: EntraCredential, service: Service
) -> None:
    await token(credential)
    service.now = 1800.0
    service.open.clear()
    for _ in range(10):
        assert await token(credential) == "token-1", "nobody waits"
    await turns()
    assert service.asked == 2
    service.open.set()
    await turns()
    assert await token(credential) == "token-2"
    assert service.asked == 2


async def test_while_it_is_good_a_service_that_is_down_stops_nothing(
    credential: EntraCredential, service: Service
) -> None:
    """It is asked again after half a minute, not at each call."""
    await token(credential)
    service.down = True
    with capture_logs() as logs:
        for service.now in (1800.0, 1801.0, 1829.0, 1830.0, 1831.0):
            assert await token(credential) == "token-1"
            await turns()
    assert service.asked == 3
    assert [entry["log_level"] for entry in logs] == ["warning", "warning"]
    service.now = 3591.0
    with pytest.raises(ProviderUnreachable):
        await credential.proof()
    service.down = False
    assert await token(credential) == "token-2"


async def test_shortly_before_its_end_it_is_waited_for(
    credential: EntraCredential, service: Service
) -> None:
    await token(credential)
    service.now = 3590.0
    assert await token(credential) == "token-2"


async def test_one_refusal_renews_it_for_all(credential: EntraCredential, service: Service) -> None:
    old = await credential.proof()
    others = await asyncio.gather(*(credential.refused(old) for _ in range(10)))
    assert {other.headers for other in others if other} == {(("authorization", "Bearer token-2"),)}
    assert service.asked == 2
    late = await credential.refused(old)
    assert late is await credential.proof(), "it is another one already"
    assert service.asked == 2


async def test_one_that_is_the_same_again_is_no_reason_to_repeat(
    credential: EntraCredential, service: Service
) -> None:
    """As from a machine's own service, which keeps tokens."""
    old = await credential.proof()
    service.same = True
    assert await credential.refused(old) is None
    assert await credential.refused(await credential.proof()) is None
    assert service.asked == 2
    service.now = 10.0
    assert await credential.refused(await credential.proof()) is None
    assert service.asked == 3


async def test_no_call_s_context_is_taken_along(
    credential: EntraCredential, service: Service
) -> None:
    WHO.set("a caller")
    await token(credential)
    assert service.who == ["nobody"]


async def test_old_and_new_are_secrets(credential: EntraCredential, service: Service) -> None:
    assert list(credential.secrets()) == ["secret"]
    old = await credential.proof()
    await credential.refused(old)
    assert set(credential.secrets()) == {"token-1", "token-2", "secret"}
    assert "token-" not in f"{credential._token} {old} {credential}"


async def test_closing_ends_what_is_under_way(
    credential: EntraCredential, service: Service
) -> None:
    service.open.clear()
    waiting = asyncio.create_task(credential.proof())
    await turns()
    await credential.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert service.down, "closed"
