"""The status page tells what is going on, and what others wrote is text in it and nothing more."""

import re
import time
from html.parser import HTMLParser

from pydantic import SecretStr

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.admin.page import rendered
from batchgate_server.admin.state import (
    Gathered,
    ProcessState,
    ProfileState,
    RunningCall,
    WatchedBatch,
)
from batchgate_server.metrics.recent_errors import RecentError
from batchgate_server.settings import OpenAIProfile, Settings, load_settings
from tests.admin.conftest import ADMIN, OpenObserved
from tests.admin.scrape import ask
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway
from tests.secret_search import secret
from tests.services.calls import call, failed
from tests.services.lines import create, lines
from tests.waiting import eventually

EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
SETTINGS = Settings(providers={"openai": OpenAIProfile(name="openai", api_key=SecretStr("sk-1"))})


class Page(HTMLParser):
    """The page as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        """Its text on one line."""
        return re.sub(r"\s+", " ", self.text)


async def page(gateway: Gateway) -> Page:
    answer = await ask(gateway, "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in answer.headers["content-security-policy"]
    return Page(answer.text)


def state(worker: int | None = None, **parts: object) -> ProcessState:
    empty: dict[str, list[object]] = {
        "profiles": [],
        "calls": [],
        "batches": [],
        "errors": [],
        "families": [],
    }
    values = {"worker": worker, "began_at": time.time() - 90, "is_ready": True, **empty, **parts}
    return ProcessState(**values)  # type: ignore[arg-type]


def batch(**values: object) -> WatchedBatch:
    usual = {"provider": "openai", "batch_id": "batch_1", "watchers": 1, "status": "in_progress"}
    usual |= {"total": 10, "completed": 4, "failed": 1, "seen_at": time.time(), "fault": ""}
    return WatchedBatch(**{**usual, **values})  # type: ignore[arg-type]


def profile(**values: object) -> ProfileState:
    usual = {"name": "openai", "kind": "openai", "api_host": "api", "healthy": True}
    usual |= {"checked_at": time.time(), "detail": ""}
    return ProfileState(**{**usual, **values})  # type: ignore[arg-type]


def shown(*states: ProcessState, is_ready: bool = True) -> Page:
    return Page(rendered(Gathered(states, is_ready=is_ready), SETTINGS))


async def test_watched_batches_have_progress_bars(observed: Gateway, account: Account) -> None:
    await account.settings(step_seconds=60)
    new = await create(observed, "openai", lines(8))
    watch = observed.batches.WatchBatch(pb.WatchBatchRequest(batch_id=new.id))
    await watch.read()
    found = await page(observed)
    assert new.id in found.text
    assert "WatchBatch" in found.text
    assert ("meta", "http-equiv", "refresh") in found.attributes
    watch.cancel()
    bar = shown(state(batches=[batch()]))
    assert ("progress", "max", "10") in bar.attributes
    assert ("progress", "value", "5") in bar.attributes
    assert "5 of 10, 1 failed" in bar.words


async def test_errors_by_reason(observed: Gateway, account: Account) -> None:
    for _ in range(3):
        await failed(observed, "GetBatch", provider="nobody")
    await account.fault(
        kind="answer", status=403, times=1, body={"error": {"message": "Not in your region"}}
    )
    await failed(observed, "ListFiles")
    found = await page(observed)
    assert re.search(r"PROVIDER_UNKNOWN\s+3\s+0 s ago", found.words)
    assert re.search(r"PROVIDER_FORBIDDEN\s+1\s", found.words)
    # What is forbidden to a caller may be told in words of what that caller sent.
    assert "Not in your region" not in found.text
    # What a caller wrote is told to that caller alone.
    assert "nobody" not in found.text
    assert "unhealthy" not in found.text


async def test_why_a_profile_is_not_well(observed: Gateway, account: Account) -> None:
    body = {"error": {"message": "No such key"}}
    await account.fault(kind="answer", status=401, times=1, body=body)
    await failed(observed, "ListFiles")
    found = await page(observed)
    assert "No such key" in found.text
    assert "unhealthy" in found.text


async def test_a_caller_that_has_gone_is_no_error(observed: Gateway, account: Account) -> None:
    await account.settings(step_seconds=60)
    new = await create(observed, "openai")
    watch = observed.batches.WatchBatch(pb.WatchBatchRequest(batch_id=new.id))
    await watch.read()
    watch.cancel()
    overview = observed.application.overview
    assert overview
    await eventually(lambda: not overview.recorder.running)
    assert overview.recorder.errors.all() == []


async def test_no_secret_of_the_configuration(
    open_teams: OpenTeams, account: Account, open_observed: OpenObserved
) -> None:
    teams = await open_teams({"admin": ADMIN}, blue={})
    await call(teams["blue"], "ListFiles")
    text = (await ask(teams["blue"], "/")).text
    assert account.key not in text
    assert "providers.openai.api_key" in text
    assert "callers.blue.token_sha256" in text
    assert text.count("(set, not shown)") == 5
    proxied = await open_observed({"proxy_url": secret("http://user:password-1@127.0.0.1:1")})
    text = (await ask(proxied, "/")).text
    assert "providers.openai.proxy_url" in text
    assert "password-1" not in text


def test_what_others_wrote_is_only_text() -> None:
    plain = shown(
        state(
            profiles=[profile()],
            batches=[batch()],
            calls=[RunningCall("/a.B/C", "x", "x", 1.0, 1, 1, "id")],
            errors=[RecentError(1.0, "/a.B/C", "x", "x", "CODE", "REASON", "message", "id")],
        )
    )
    evil = shown(
        state(
            profiles=[profile(name=EVIL, api_host=EVIL, detail=EVIL)],
            batches=[batch(batch_id=EVIL, provider=EVIL, status=EVIL, fault="")],
            calls=[RunningCall(f"/a.B/{EVIL}", EVIL, EVIL, 1.0, 1, 1, EVIL)],
            errors=[RecentError(1.0, f"/a.B/{EVIL}", EVIL, EVIL, "CODE", EVIL, EVIL, EVIL)],
        )
    )
    assert evil.tags == plain.tags
    assert evil.text.count(EVIL) >= 12


def test_configured_names_are_only_text() -> None:
    settings = load_settings(
        environment={"OPENAI_API_KEY": "sk-1"},
        overrides={
            "providers": {"openai": {"kind": "openai", "api_key": "k", "models": {EVIL: "m"}}}
        },
    )
    assert "script" not in Page(rendered(Gathered([state()], is_ready=True), settings)).tags


def test_workers_are_put_together() -> None:
    now = time.time()
    one = state(
        1,
        profiles=[profile(), profile(name="azure", healthy=None, checked_at=0.0)],
        batches=[batch(watchers=2, seen_at=now - 60, completed=1)],
    )
    two = state(
        2,
        profiles=[profile(healthy=False, detail="it is down"), profile(name="azure")],
        batches=[batch(watchers=3, seen_at=now, completed=7, failed=0)],
    )
    found = shown(one, two)
    # As who sees it worst; who knows nothing says nothing.
    assert re.search(r"openai unhealthy", found.words)
    assert re.search(r"azure healthy", found.words)
    assert "it is down" in found.text
    assert ("progress", "value", "7") in found.attributes
    assert re.search(r"7 of 10 5 0 s ago", found.words)


def test_much_is_cut_off() -> None:
    calls = [RunningCall("/a.B/C", "x", "x", float(n), 1, 1, f"id-{n}") for n in range(60)]
    found = shown(state(calls=calls))
    assert "and 10 more" in found.text
    assert "id-59" in found.text
    assert "id-9 " not in found.words


def test_how_it_is_in_a_word() -> None:
    assert "not serving" in shown(state(), is_ready=False).text
    assert "not all profiles" in shown(state(profiles=[profile(healthy=False)])).text
    assert "not all profiles" not in shown(state(profiles=[profile(healthy=None)])).text


def test_times_and_sizes_for_people() -> None:
    day = 86400.0
    calls = [
        RunningCall("/a.B/C", "", "", seconds, size, 0, "")
        for seconds, size in (
            (5.0, 999),
            (300.0, 5_000),
            (7200.0, 7_000_000),
            (2 * day, 5 * 10**12),
        )
    ]
    words = shown(state(calls=calls)).words
    for word in ("5 s", "5 min", "2.0 h", "2.0 days", "999 B", "5 kB", "7 MB", "5,000 GB"):
        assert f" {word} " in words
