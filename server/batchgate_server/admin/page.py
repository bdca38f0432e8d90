"""The status page: HTML made here, with everything escaped that comes from elsewhere."""

import base64
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from batchgate_server.admin.state import Gathered, ProcessState, ProfileState, WatchedBatch
from batchgate_server.settings import Settings
from batchgate_server.settings.shown import shown_settings
from batchgate_server.version import VERSION

MOST_CALLS, MOST_BATCHES = 50, 100
MINUTE, HOUR, DAY = 60, 3600, 86400
KILO = 1000
_FILES = resources.files("batchgate_server.admin").joinpath("templates")


@cache
def _style() -> str:
    return _FILES.joinpath("status.css").read_text(encoding="utf-8")


def style_hash() -> str:
    """The digest of the page's one style sheet, as a Content-Security-Policy names it."""
    digest = hashlib.sha256(_style().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.from_string(_FILES.joinpath("status.html").read_text(encoding="utf-8"))


def rendered(gathered: Gathered, settings: Settings) -> str:
    """The page of a gateway with these settings."""
    states = gathered.states
    now = time.time()
    calls = sorted(
        (call for state in states for call in state.calls), key=lambda call: -call.seconds
    )
    batches = _batches(states)
    profiles = list(_profiles(states, now))
    workers = [state for state in states if state.worker is not None]
    return _template().render(
        style=Markup(_style()),  # noqa: S704 - our own file
        version=VERSION,
        summary=_summary(profiles, is_ready=gathered.is_ready),
        workers=len(workers),
        wanted=settings.server.workers,
        up=_span(now - min((state.began_at for state in states), default=now)),
        profiles=profiles,
        calls=[
            {
                "method": call.method.rpartition("/")[2],
                "caller": call.caller,
                "provider": call.provider,
                "duration": _span(call.seconds),
                "received": _size(call.received_bytes),
                "sent": _size(call.sent_bytes),
                "request_id": call.request_id,
            }
            for call in calls[:MOST_CALLS]
        ],
        calls_count=len(calls),
        batches=[_batch(batch, now) for batch in batches[:MOST_BATCHES]],
        watchers=sum(batch.watchers for batch in batches),
        errors=list(_errors(states, now)),
        errors_count=sum(len(state.errors) for state in states),
        settings=shown_settings(settings),
        now=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def _summary(profiles: Iterable[dict[str, Any]], *, is_ready: bool) -> dict[str, str]:
    if not is_ready:
        return {"word": "not serving", "mood": "bad"}
    if any(profile["mood"] == "bad" for profile in profiles):
        return {"word": "serving, but not all profiles are well", "mood": "odd"}
    return {"word": "serving", "mood": "good"}


def _profiles(states: Sequence[ProcessState], now: float) -> Iterator[dict[str, Any]]:
    """Each profile once: as the worker sees it that sees it worst, or else last."""
    found: dict[str, list[ProfileState]] = {}
    for state in states:
        for profile in state.profiles:
            found.setdefault(profile.name, []).append(profile)
    for name, seen in found.items():
        one = min(seen, key=lambda profile: (profile.healthy is not False, -profile.checked_at))
        yield {
            "name": name,
            "kind": one.kind,
            "api_host": one.api_host,
            "word": {True: "healthy", False: "unhealthy", None: "not known yet"}[one.healthy],
            "mood": {True: "good", False: "bad", None: "odd"}[one.healthy],
            "checked": _ago(one.checked_at, now),
            "detail": one.detail,
        }


def _batches(states: Sequence[ProcessState]) -> list[WatchedBatch]:
    """Each batch once, as it was seen last, with the watchers of all processes."""
    found: dict[tuple[str, str], list[WatchedBatch]] = {}
    for state in states:
        for batch in state.batches:
            found.setdefault((batch.provider, batch.batch_id), []).append(batch)
    merged = []
    for seen in found.values():
        newest = max(seen, key=lambda batch: batch.seen_at)
        merged.append(replace(newest, watchers=sum(batch.watchers for batch in seen)))
    return merged


def _batch(batch: WatchedBatch, now: float) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "provider": batch.provider,
        "status": batch.status,
        "total": batch.total,
        "done": min(batch.completed + batch.failed, batch.total),
        "failed": batch.failed,
        "watchers": batch.watchers,
        "seen": _ago(batch.seen_at, now),
        "fault": batch.fault,
    }


def _errors(states: Sequence[ProcessState], now: float) -> Iterator[dict[str, Any]]:
    """The reasons, the one that was last first, each with its last error."""
    errors = sorted((error for state in states for error in state.errors), key=lambda one: -one.at)
    found: dict[str, dict[str, Any]] = {}
    for error in errors:
        reason = error.reason or error.code
        known = found.setdefault(
            reason,
            {
                "reason": reason,
                "count": 0,
                "last": _ago(error.at, now),
                "method": error.method.rpartition("/")[2],
                "provider": error.provider,
                "caller": error.caller,
                "request_id": error.request_id,
                "message": error.message,
            },
        )
        known["count"] += 1
    yield from found.values()


def _ago(moment: float, now: float) -> str:
    return f"{_span(now - moment)} ago" if moment else "never"


def _span(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{max(seconds, 0):.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < DAY:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / DAY:.1f} days"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < KILO or unit == "GB":
            break
        size /= KILO
    return f"{size:.0f} {unit}" if size < KILO else f"{size:,.0f} {unit}"
