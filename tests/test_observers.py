"""Who counts and who traces fail no call: a defect of theirs is told once, and counted."""

from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from batchgate_server.metrics.recorder import Recorder
from tests.admin.scrape import scrape
from tests.conftest import Account, OpenGateway, profiles
from tests.services.calls import call
from tests.waiting import eventually

OBSERVED = (
    "call_began",
    "call_ended",
    "happened",
    "exchange_began",
    "exchange_ended",
)


def broken(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError


async def test_a_defect_fails_no_call(
    account: Account, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"providers": profiles(account), "default_provider": "openai"}
    gateway = await open_gateway({**settings, "admin": {"listen": "127.0.0.1:0"}})
    for what in OBSERVED:
        monkeypatch.setattr(Recorder, what, broken)
    with capture_logs() as lines:
        for _ in range(2):
            file = (await gateway.upload(b"{}", purpose="vision")).file
            await call(gateway, "GetFile", file_id=file.id)
        await eventually(lambda: sum(one["event"] == "rpc" for one in lines) == 4)
    failed = [one["method"] for one in lines if one["event"] == "internal error"]
    assert sorted(failed) == sorted(f"metrics.{what}" for what in OBSERVED)
    metrics = await scrape(gateway)
    # Began, ended, and the same of its request; an upload has come to the end of its content, too.
    assert metrics.value("batchgate_observer_failures_total", observer="metrics") == 4 * 4 + 2
