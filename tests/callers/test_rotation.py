"""Credentials that are taken from a caller who stays: what goes on by them ends."""

from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.callers.tokens import digest
from batchgate_server.settings import load_settings
from tests.callers.door import as_caller, bearer, token_of
from tests.callers.test_certificate_callers import settings_of
from tests.certificates import Authority
from tests.conftest import Account, Gateway, OpenGateway, profiles, running_gateway
from tests.services.rows import created, line
from tests.status import failure_of
from tests.tls.conftest import channel_to

STALLED = {"sandbox_outcome": "stalled"}
SLOW = {"first_poll_seconds": 100, "slowest_poll_seconds": 100}


def reload(gateway: Gateway, settings: dict[str, Any], **changes: Any) -> None:
    overrides = {**settings, **changes, "listen": gateway.application.settings.listen}
    gateway.application.reload(load_settings(environment={}, overrides=overrides))


async def message_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    return failure.message


async def test_a_token_that_is_taken_away(account: Account, open_gateway: OpenGateway) -> None:
    old, new = bearer("old"), bearer("new")
    both = [digest(token_of(name)) for name in ("old", "new")]
    settings: dict[str, Any] = {
        "providers": profiles(account),
        "default_provider": "openai",
        "watch": SLOW,
        "callers": {"team": {"token_sha256": both}},
    }
    gateway = await open_gateway(settings)
    async with as_caller(gateway, old) as by_old, as_caller(gateway, new) as by_new:
        batch = await created(by_old, line("a"), metadata=STALLED)
        request = pb.WatchBatchRequest(batch_id=batch.id)
        gone, kept = by_old.batches.WatchBatch(request), by_new.batches.WatchBatch(request)
        await gone.read()
        await kept.read()
        # In another order, with another limit: both are known still.
        team = {"token_sha256": both[::-1], "max_calls": 5}
        reload(gateway, settings, callers={"team": team})
        assert not gone.done()
        reload(gateway, settings, callers={"team": {"token_sha256": both[1:]}})
        assert await message_of(gone.read()) == "this credential of team is not known here any more"
        assert not kept.done()
        # It is another caller's now.
        other = {"other": {"token_sha256": both[1:]}, "team": {"token_sha256": both[:1]}}
        reload(gateway, settings, callers=other)
        assert await message_of(kept.read()) == "this credential of team is not known here any more"


async def test_a_name_of_a_certificate_that_is_taken_away(account: Account, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    names = ["one.internal", "two.internal"]
    settings = settings_of(account, authority, watch=SLOW, default_provider="openai")
    settings["callers"] = {"team": {"san": names}}
    loaded = load_settings(environment={}, overrides=settings)
    async with running_gateway(loaded) as gateway:
        watches = []
        channels = []
        for name in names:
            client = authority.issue(name.partition(".")[0], san=[name])
            channel = channel_to(gateway.address, authority, client)
            channels.append(channel)
            own = Gateway(gateway.application, channel)
            batch = await created(own, line("a"), metadata=STALLED)
            watch = own.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.id))
            await watch.read()
            watches.append(watch)
        gone, kept = watches
        reload(gateway, settings, callers={"team": {"san": names[1:]}})
        assert await message_of(gone.read()) == "this credential of team is not known here any more"
        assert not kept.done()
        for channel in channels:
            await channel.close()
