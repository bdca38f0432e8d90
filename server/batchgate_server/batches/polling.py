"""Looks at the watched batches of one provider: each at its own tempo, several by one list."""

import asyncio
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context

import structlog
from grpc import StatusCode

from batchgate_server.batches.observation import Observation, Watched
from batchgate_server.batches.tempo import interval, pause, stage_age
from batchgate_server.call import Call, current_call, enter_call
from batchgate_server.callers.provider_key import ProviderKey
from batchgate_server.errors import (
    GatewayError,
    InternalError,
    ProviderBadResponse,
    ProviderCredentialRejected,
    ProviderNotFound,
    ProviderRateLimited,
    ProviderTimeout,
)
from batchgate_server.observer import SILENT, Observer
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.rest.retrying import Pace, set_pace
from batchgate_server.settings import WatchSettings

# A look is small: one that takes longer is given up, so that the next can do better.
LOOK_SECONDS = 30.0
LOOKS_AT_ONCE = 8
LIST_SIZE = 100
MOST_PAGES = 3
# A batch whose time comes within this part of its interval is looked at together with others.
EARLY = 0.5
# For so many of the slowest intervals no list is asked for after one that went wrong.
LISTLESS = 5
WARN_EVERY_SECONDS = 60.0
PASSING = {StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED}

log = structlog.stdlib.get_logger()


class Poller:
    """Has a timer while batches are watched, and a task while it looks at some; else nothing."""

    def __init__(
        self,
        provider: OpenAIProvider,
        settings: WatchSettings,
        *,
        provider_key: ProviderKey | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._observer = observer
        self.provider = provider
        """Whom it asks; `renew` takes another one."""
        self._provider_key = provider_key
        self._settings = settings
        self._watched: dict[str, Watched] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._looks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(LOOKS_AT_ONCE)
        # By the loop's clock: when the provider may be asked again, for lists, and warned of.
        self._open_at = self._lists_at = self._warn_at = 0.0
        self._fault: GatewayError | None = None  # why it is not to be asked before `_open_at`
        self._suspect: Watched | None = None  # the last that failed, if no look has gone well since

    @property
    def is_needed(self) -> bool:
        """Whether anybody watches."""
        return any(watched.watchers for watched in self._watched.values())

    def watched(self) -> list[Watched]:
        """What somebody watches."""
        return [watched for watched in self._watched.values() if watched.watchers]

    def join(self, batch_id: str) -> Watched:
        """Watch a batch. A state that others have seen is there at once, and soon renewed."""
        now = self._loop.time()
        watched = self._watched.get(batch_id)
        if watched is None:
            watched = self._watched[batch_id] = Watched(batch_id, due=now)
            watched.fault = self._fault if now < self._open_at else None
        elif not watched.faults:
            seen_at = watched.due - watched.interval
            watched.due = min(watched.due, seen_at + self._settings.first_poll_seconds)
        watched.watchers += 1
        self._schedule()
        return watched

    def leave(self, watched: Watched) -> None:
        """Watch it no more; the last one to leave takes the poller's work away."""
        watched.watchers -= 1
        if not watched.watchers:
            self._forget(watched)
        if not self._watched:
            self._cancel()

    def renew(self, provider: OpenAIProvider, settings: WatchSettings) -> None:
        """Ask this provider from now on, at this pace.

        What went wrong with another one says nothing of it: such batches are looked at again now.
        """
        self._settings = settings
        if provider is self.provider:
            return
        self.provider = provider
        self._open_at = self._lists_at = 0.0
        self._fault = self._suspect = None
        for watched in self._watched.values():
            if watched.faults:
                watched.due = self._loop.time()
        self._schedule()

    def end(self, reason: GatewayError) -> None:
        """End all watches with `reason`."""
        for watched in list(self._watched.values()):
            self._end(watched, reason)
        self._cancel()

    async def stop(self, reason: GatewayError) -> None:
        """End all watches with `reason`, and wait until nothing is under way."""
        looks = list(self._looks)
        self.end(reason)
        await asyncio.gather(*looks, return_exceptions=True)

    def _forget(self, watched: Watched) -> None:
        if self._watched.get(watched.batch_id) is watched:
            del self._watched[watched.batch_id]
            self._schedule()

    def _cancel(self) -> None:
        for look in self._looks:
            look.cancel()

    # When to look.

    def _schedule(self) -> None:
        if self._timer:
            self._timer.cancel()
        times = [watched.due for watched in self._watched.values() if not watched.looking]
        # A context of its own: what a caller's context holds is none of the poller's business.
        self._timer = (
            self._loop.call_at(max(min(times), self._open_at), self._begin, context=Context())
            if times
            else None
        )

    def _begin(self) -> None:
        now = self._loop.time()
        idle = [watched for watched in self._watched.values() if not watched.looking]
        due = [watched for watched in idle if watched.due <= now]
        if due and now >= self._open_at:
            due += [
                watched
                for watched in idle
                if now < watched.due <= now + EARLY * watched.interval
                and not watched.unlisted
                and not watched.faults
            ]
            for watched in due:
                watched.looking = True
            look = self._loop.create_task(self._look(due))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        self._schedule()

    # Looking.

    async def _look(self, due: list[Watched]) -> None:
        try:
            seen = await self._list([watched for watched in due if not watched.unlisted])
            async with asyncio.TaskGroup() as looks:
                for watched in due:
                    if watched not in seen:
                        looks.create_task(self._get(watched))
        except Exception:  # the outermost border of this task: nobody awaits it
            log.exception("internal error", method="watch", provider=self.provider.name)
            for watched in due:
                self._end(watched, InternalError("internal error while watching"))
        finally:
            for watched in due:
                watched.looking = False
            self._schedule()

    async def _list(self, due: list[Watched]) -> set[Watched]:
        """Look at several by a list; those that need no look of their own now."""
        if len(due) <= 1 or self._loop.time() < self._lists_at:
            return set()
        missing = {watched.batch_id: watched for watched in due}
        provider = self.provider
        try:
            cursor = None
            for _ in range(MOST_PAGES):
                with self._as_call(), provider.users.one():
                    async with asyncio.timeout(LOOK_SECONDS):
                        page = await provider.list_batches(cursor=cursor, size=LIST_SIZE)
                self._observer.polled(provider.name, kind="list", error=None)
                for batch in page.items:
                    if watched := missing.pop(batch.id, None):
                        self._saw(watched, batch)
                cursor = page.next
                # For a single one that is missing, its own look is as cheap as another page.
                if len(missing) <= 1 or cursor is None:
                    break
        except (GatewayError, TimeoutError) as exc:
            if provider is not self.provider:
                return set(due) - set(missing.values())
            return set(due) - self._unlistable(missing.values(), self._error(exc, kind="list"))
        for watched in missing.values():
            watched.unlisted = True
        return set(due) - set(missing.values())

    def _unlistable(self, missing: Iterable[Watched], fault: GatewayError) -> set[Watched]:
        """After a list that went wrong: those that need a look of their own at once."""
        if not isinstance(fault, ProviderRateLimited):
            # Whoever cannot list may still get: watches do not hang on what is only a saving.
            pause_seconds = LISTLESS * self._settings.slowest_poll_seconds
            self._lists_at = self._loop.time() + pause_seconds
        if not isinstance(fault, ProviderCredentialRejected) and not passing(fault):
            return set(missing)
        for watched in list(missing):
            self._failed(watched, fault, of_list=True)
        return set()

    async def _get(self, watched: Watched) -> None:
        async with self._slots:
            # Both may have changed while others were looked at.
            if self._loop.time() < self._open_at or not watched.watchers:
                return
            provider = self.provider
            try:
                with self._as_call(), provider.users.one():
                    async with asyncio.timeout(LOOK_SECONDS):
                        batch = await provider.get_batch(watched.batch_id)
            except (GatewayError, TimeoutError) as exc:
                if provider is not self.provider:
                    # It was replaced meanwhile, and so was perhaps what went wrong.
                    watched.due = self._loop.time()
                    return
                self._failed(watched, self._error(exc, kind="get"))
            else:
                self._observer.polled(provider.name, kind="get", error=None)
                self._saw(watched, batch)

    @contextmanager
    def _as_call(self) -> Iterator[None]:
        """Takes the provider's request id into the error, as for a caller's own call."""
        call = Call(
            method="watch",
            request_id="",
            provider=self.provider.name,
            provider_key=self._provider_key,
        )
        enter_call(call)
        set_pace(Pace.ONCE)
        try:
            yield
        finally:
            call.end()

    def _error(self, exc: GatewayError | TimeoutError, *, kind: str) -> GatewayError:
        name = self.provider.name
        if isinstance(exc, GatewayError):
            error = exc
        else:
            error = ProviderTimeout(f"{name} did not answer in time", metadata={"provider": name})
            self.provider.rest.saw(error)
        self._observer.polled(name, kind=kind, error=error)
        return error

    # What a look brought.

    def _saw(self, watched: Watched, batch: RestBatch) -> None:
        self._suspect = None
        known, seen = (
            watched.latest,
            Observation(batch, time.time(), current_call().provider_request_id),
        )
        if known and known.stage() != seen.stage():
            watched.stage_since = seen.observed_at
        watched.latest, watched.fault, watched.faults, watched.missed = seen, None, 0, 0
        watched.interval = interval(
            self._settings,
            age=stage_age(batch, seen_since=watched.stage_since, now=seen.observed_at),
            moving=known is not None and known.counts() != seen.counts(),
            luck=luck(),
        )
        watched.due = self._loop.time() + watched.interval
        if watched.settled:
            self._forget(watched)
        if seen.differs(known):
            watched.tell()

    def _failed(self, watched: Watched, fault: GatewayError, *, of_list: bool = False) -> None:
        if isinstance(fault, ProviderNotFound):
            watched.missed += 1
            # A batch that was there is doubted once: storage that is behind answers 404 too.
            lasting = watched.latest is None or watched.missed > 1
        else:
            lasting = not passing(fault)
        if lasting:
            self._end(watched, fault)
            return
        watched.faults += 1
        seconds = pause(self._settings, fault, faults=watched.faults, luck=luck())
        watched.fault, watched.due = fault, self._loop.time() + seconds
        if fault.code in PASSING:
            # The provider's trouble, not the batch's: all of its batches wait.
            if of_list or self._is_general(watched, fault):
                self._hold_up(fault, watched.due)
            self._suspect = watched
        self._log(watched, fault, seconds)

    def _hold_up(self, fault: GatewayError, due: float) -> None:
        """Nobody asks before `due`."""
        if not isinstance(fault, ProviderRateLimited):
            # What it asks for with a 5xx it asks for one batch; only a 429 is the account's.
            due = min(due, self._loop.time() + self._settings.slowest_poll_seconds)
        if due > self._open_at:
            self._fault, self._open_at = fault, due

    def _is_general(self, watched: Watched, fault: GatewayError) -> bool:
        """Whether what went wrong with one batch would go wrong with the others too."""
        # A provider that answers 5xx may do so for this batch alone, until another one fails too.
        if fault.code is not StatusCode.UNAVAILABLE or "http_status" not in fault.metadata:
            return True
        suspect = self._suspect
        return suspect is not None and suspect is not watched and suspect.watchers > 0

    def _end(self, watched: Watched, error: GatewayError) -> None:
        watched.end = error
        self._forget(watched)
        watched.tell()

    def _log(self, watched: Watched, fault: GatewayError, seconds: float) -> None:
        now = self._loop.time()
        write = log.debug
        if now >= self._warn_at:
            self._warn_at, write = now + WARN_EVERY_SECONDS, log.warning
        write(
            "poll failed",
            provider=self.provider.name,
            batch_id=watched.batch_id,
            reason=fault.reason,
            message=fault.message,
            next_in_seconds=round(seconds, 3),
        )


def passing(fault: GatewayError) -> bool:
    """Whether a watch outlives it."""
    return fault.code in PASSING or isinstance(fault, ProviderBadResponse)


def luck() -> float:
    """A random number from 0 to 1."""
    return random.random()  # noqa: S311 - no secret
