"""grpc.health.v1: of the gateway, of its services and of each profile, for whoever asks."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchgate_server.application import SERVICES
from batchgate_server.settings import load_settings
from tests.callers.door import known
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.services.calls import call, failed
from tests.waiting import eventually

SERVING, NOT_SERVING = "SERVING", "NOT_SERVING"
EVER = {"health_check_seconds": 3600.0}
OFTEN = {"health_check_seconds": 0.05}
DOWN = {"kind": "answer", "status": 500, "times": None, "body": {"error": {"message": "Oops"}}}


async def health(gateway: Gateway, service: str = "") -> str:
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def is_now(gateway: Gateway, service: str, status: str) -> None:
    async def look() -> bool:
        return await health(gateway, service) == status

    await eventually(look)


class Watch:
    """One who watches a service."""

    def __init__(self, gateway: Gateway, service: str) -> None:
        stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
        self.call = stub.Watch(health_pb2.HealthCheckRequest(service=service))

    async def next(self) -> str:
        answer = await asyncio.wait_for(self.call.read(), 10)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


@pytest.fixture
async def checked(account: Account, open_gateway: OpenGateway) -> Gateway:
    """A gateway that asks its profiles once, at its start."""
    return await open_gateway(
        {"providers": profiles(account), "default_provider": "openai", "server": EVER}
    )


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_services(gateway: Gateway, service: str) -> None:
    assert await health(gateway, service) == SERVING


@pytest.mark.parametrize("service", ["provider/nobody", "provider/", "batchgate.v1.Other"])
async def test_a_service_that_is_none(gateway: Gateway, service: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(gateway, service)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = Watch(gateway, service)
    assert await watch.next() == "SERVICE_UNKNOWN"
    watch.call.cancel()


@pytest.mark.parametrize("name", ["openai", "azure", "azure-dated"])
async def test_each_profile_is_asked_at_the_start(
    account: Account, checked: Gateway, name: str
) -> None:
    await is_now(checked, f"provider/{name}", SERVING)
    asked = [one for one in await account.requests() if "limit=1" in one["query"].split("&")]
    assert asked
    assert {(one["method"], one["path"].rpartition("/")[2]) for one in asked} == {
        ("GET", "batches")
    }


async def test_a_profile_that_does_not_answer(account: Account, open_gateway: OpenGateway) -> None:
    await account.fault(**DOWN)
    configured = {**profiles(account)}
    gateway = await open_gateway(
        {"providers": configured, "default_provider": "openai", "server": OFTEN}
    )
    watch = Watch(gateway, "provider/openai")
    while (status := await watch.next()) == "UNKNOWN":
        pass
    assert status == NOT_SERVING
    # The gateway itself serves, as others may be well.
    assert await health(gateway) == SERVING
    assert await health(gateway, "batchgate.v1.BatchService") == SERVING
    await account.mend()
    assert await watch.next() == SERVING
    watch.call.cancel()


async def test_a_refused_key_is_seen(account: Account, open_gateway: OpenGateway) -> None:
    configured = {"openai": profiles(account)["openai"] | {"api_key": "invalid"}}
    gateway = await open_gateway({"providers": configured, "server": EVER})
    await is_now(gateway, "provider/openai", NOT_SERVING)


async def test_what_calls_see_is_told_at_once(account: Account, gateway: Gateway) -> None:
    """Also where nobody asks by himself."""
    assert await health(gateway, "provider/openai") == "UNKNOWN"
    watch = Watch(gateway, "provider/openai")
    assert await watch.next() == "UNKNOWN"
    await call(gateway, "ListFiles")
    assert await watch.next() == SERVING
    await account.fault(**DOWN)
    await failed(gateway, "ListFiles")
    assert await watch.next() == NOT_SERVING
    assert await health(gateway, "provider/azure") == "UNKNOWN"
    watch.call.cancel()
    assert {one["path"] for one in await account.requests()} == {"/v1/files"}


async def test_on_demand_in_a_list_of_providers(account: Account, gateway: Gateway) -> None:
    await call(gateway, "ListProviders", check_health=True)
    await is_now(gateway, "provider/azure", SERVING)


async def test_who_is_called_is_not_asked(account: Account, open_gateway: OpenGateway) -> None:
    configured = profiles(account)
    one = {"openai": configured["openai"], "azure": configured["azure"]}
    gateway = await open_gateway(
        {"providers": one, "default_provider": "openai", "server": {"health_check_seconds": 0.3}}
    )

    async def asked(path: str) -> int:
        return len([one for one in await account.requests() if one["path"] == path])

    async def others_were_asked() -> bool:
        await call(gateway, "ListFiles")
        return await asked("/openai/v1/batches") >= 4

    # The other profile, to which no call goes, is the clock.
    await eventually(others_were_asked)
    assert await asked("/v1/batches") <= 2


async def test_callers_keys_cannot_be_tried(account: Account, open_gateway: OpenGateway) -> None:
    """Such a profile is as calls have shown."""
    own = {"kind": "openai", "base_url": f"{account.url}/v1", "caller_credentials": True}
    gateway = await open_gateway({"providers": {"own": own}, "server": OFTEN})
    key = [("x-provider-key", account.key)]
    assert await health(gateway, "provider/own") == "UNKNOWN"
    await call(gateway, "ListFiles", _metadata=key)
    await is_now(gateway, "provider/own", SERVING)
    assert len(await account.requests()) == 1
    await account.fault(**DOWN)
    await failed(gateway, "ListFiles", _metadata=key)
    await is_now(gateway, "provider/own", NOT_SERVING)


async def test_nobody_needs_a_credential(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway(
        {
            "providers": profiles(account),
            "default_provider": "openai",
            "callers": known("blue", max_calls=1),
            "server": EVER,
        }
    )
    assert (await failed(gateway, "ListFiles")).reason == "CALLER_UNAUTHENTICATED"
    await is_now(gateway, "provider/openai", SERVING)


async def test_who_watches_is_told_although_another_has_left(
    account: Account, gateway: Gateway
) -> None:
    first, second = Watch(gateway, ""), Watch(gateway, "")
    assert await first.next() == await second.next() == SERVING
    first.call.cancel()
    await asyncio.wait([asyncio.ensure_future(first.call.code())])
    third = Watch(gateway, "")
    assert await third.next() == SERVING
    stopping = asyncio.create_task(gateway.application.stop(1.0))
    assert await second.next() == NOT_SERVING
    assert await third.next() == NOT_SERVING
    await stopping


async def test_all_is_not_serving_while_it_drains(account: Account, checked: Gateway) -> None:
    await is_now(checked, "provider/openai", SERVING)
    await account.fault(**DOWN)
    await failed(checked, "ListFiles", provider="azure")
    await account.mend()
    await is_now(checked, "provider/azure", NOT_SERVING)
    watches = [Watch(checked, name) for name in ("provider/openai", SERVICES[0])]
    assert {await watch.next() for watch in watches} == {SERVING}
    stopping = asyncio.create_task(checked.application.stop(1.0, delay_seconds=0.3))
    assert {await watch.next() for watch in watches} == {NOT_SERVING}
    # What calls see meanwhile changes nothing.
    await call(checked, "ListFiles", provider="azure")
    await stopping
    assert checked.application._health._statuses.keys() >= {"", "provider/azure"}
    assert set(checked.application._health._statuses.values()) == {
        health_pb2.HealthCheckResponse.NOT_SERVING
    }


async def test_profiles_come_and_go(account: Account, open_gateway: OpenGateway) -> None:
    configured: dict[str, Any] = profiles(account)
    one = {"openai": configured["openai"], "azure": configured["azure"]}
    gateway = await open_gateway({"providers": one, "default_provider": "openai", "server": EVER})
    await is_now(gateway, "provider/azure", SERVING)
    watch = Watch(gateway, "provider/azure")
    assert await watch.next() == SERVING
    new = load_settings(
        environment={},
        overrides={
            "listen": gateway.application.settings.listen,
            "providers": {"openai": configured["openai"], "other": configured["azure"]},
            "default_provider": "openai",
            "server": EVER,
        },
    )
    gateway.application.reload(new)
    assert await watch.next() == "SERVICE_UNKNOWN"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(gateway, "provider/azure")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    await is_now(gateway, "provider/other", SERVING)
    watch.call.cancel()


async def test_the_interval_can_change(account: Account, checked: Gateway) -> None:
    for name in ("openai", "azure"):
        await is_now(checked, f"provider/{name}", SERVING)
    await account.fault(**DOWN)
    settings = checked.application.settings
    often = settings.server.model_copy(update=OFTEN)
    checked.application.reload(settings.model_copy(update={"server": often}))
    await is_now(checked, "provider/openai", NOT_SERVING)
    await is_now(checked, "provider/azure", NOT_SERVING)
