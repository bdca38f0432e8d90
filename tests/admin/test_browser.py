"""The status page in a real browser: on a phone and on a desk, with batches in progress."""

import os
from pathlib import Path
from typing import Any

import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.observation import NO_COUNTS
from tests.admin.chromium import Tab, tab
from tests.admin.conftest import ADMIN, WATCH
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway, upload_messages
from tests.services.calls import call, failed
from tests.services.lines import create, lines
from tests.tools import tool
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
PHONE, DESK = (390, 844), (1280, 900)
# A picture is kept where somebody wants to look at it.
PICTURES = os.environ.get("BATCHGATE_PICTURES")


async def busy(gateway: Gateway, account: Account) -> list[Any]:
    """Batches in progress that are watched, an upload that goes on, and calls that failed."""
    for _ in range(4):
        await failed(gateway, "GetBatch", batch_id="batch_none")
    await failed(gateway, "ListFiles", provider="nobody")
    await account.fault(
        kind="answer", status=401, times=1, body={"error": {"message": "<b>No</b> such luck"}}
    )
    await failed(gateway, "ListFiles", provider="azure-dated")
    await account.settings(step_seconds=2.0)
    new = [await create(gateway, name, lines(200)) for name in ("openai", "openai", "azure")]
    watches = [
        gateway.batches.WatchBatch(pb.WatchBatchRequest(provider=one.provider, batch_id=one.id))
        for one in (*new, new[0])
    ]
    for watch in watches:
        await watch.read()
    upload = gateway.files.UploadFile()
    for message in upload_messages(bytes(700_000), filename="a.jsonl", purpose="batch"):
        await upload.write(message)
    overview = gateway.application.overview
    assert overview

    def in_progress() -> bool:
        seen = [one.latest for _, one in gateway.application._watching.watched()]
        counts = [(one.counts() if one else NO_COUNTS) for one in seen]
        return all(0 < (one.completed or 0) < (one.total or 0) for one in counts)

    await eventually(in_progress, timeout_seconds=60)
    # At most one more step, and not to their ends.
    await account.settings(step_seconds=600)
    return [*watches, upload]


async def looks_right(page: Tab, *, width: int) -> None:
    assert not page.problems, page.problems
    assert await page.value("document.documentElement.scrollWidth") <= width
    # The policy lets the page's own style through: this is of it.
    assert await page.value("getComputedStyle(document.querySelector('.state')).color") == (
        "rgb(255, 255, 255)"
    )
    bars = "[...document.querySelectorAll('#batches progress')]"
    positions = await page.value(f"{bars}.map(bar => bar.position)")
    assert len(positions) == 3
    assert all(0 < position < 1 for position in positions)
    assert all(size > 60 for size in await page.value(f"{bars}.map(bar => bar.clientWidth)"))
    # What a provider said is text.
    assert "<b>No</b> such luck" in await page.value("document.body.textContent")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_batches_in_progress(
    open_teams: OpenTeams, account: Account, tmp_path: Path, size: tuple[int, int]
) -> None:
    program = tool("chromium")
    teams = await open_teams({"admin": ADMIN, "watch": WATCH}, blue={}, red={})
    gateway = teams["blue"]
    await call(teams["red"], "ListBatches", provider="azure")
    streams = await busy(gateway, account)
    width, height = size
    async with tab(program, tmp_path / "profile") as page:
        address = gateway.application.admin_address
        await page.open(f"http://{address}/", width=width, height=height)
        await looks_right(page, width=width)
        if PICTURES:
            await page.picture(Path(PICTURES) / f"status-{width}.png")
        # It renews itself: what was there is replaced by another document.
        await page.value("document.documentElement.dataset.old = 'yes'")

        async def renewed() -> bool:
            return bool(await page.value("!document.documentElement.dataset.old"))

        await eventually(renewed, timeout_seconds=20)
        await looks_right(page, width=width)
    for stream in streams:
        stream.cancel()
