"""Ends calls that nobody ends: too long, or with a caller that neither sends nor reads.

Looked for now and then over all calls, since a timer for each costs a tenth of the calls a second.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

from batchgate_server.call import Call
from batchgate_server.callers.allowance import Kind
from batchgate_server.errors import CallerIdle, CallTimeout, GatewayError, ServerDraining
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.interceptors.draining import Draining
from batchgate_server.settings import ServerSettings

# They send files, or wait for some.
CREATIONS = frozenset(
    {"/batchgate.v1.BatchService/CreateBatch", "/batchgate.v1.BatchService/RetryBatch"}
)
# Looks in the shortest of the times, and how far apart they are at most, in seconds.
LOOKS, LONGEST_PAUSE_SECONDS = 4, 1.0


class Overdue:
    """Gives calls their default deadlines, as a concern of the chain, and sees that they are kept."""

    def __init__(self, settings: ServerSettings, draining: Draining) -> None:
        self._draining = draining
        self._looks: asyncio.Task[None] | None = None
        self.settings = settings
        """Those in force; new ones hold for the calls that run, too, but for their deadlines."""

    async def __call__(
        self,
        call: Call,
        context: Context,  # noqa: ARG002 - a concern's parameter
        proceed: Proceed,
    ) -> Any:  # noqa: ANN401 - any message
        """Sets the deadline of a call that has none."""
        # Streams last as long as somebody sends or reads; WaitBatch has a timeout of its own.
        if call.deadline == inf and not (
            call.receives_stream or call.sends_stream or call.kind is Kind.WATCH
        ):
            seconds = (
                self.settings.default_creation_deadline_seconds
                if call.method in CREATIONS
                else self.settings.default_deadline_seconds
            )
            call.deadline = call.default_deadline = call.begun + seconds
        return await proceed()

    def start(self) -> None:
        """Look for such calls from now on."""
        self._looks = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Look no more."""
        if self._looks:
            self._looks.cancel()
            await asyncio.wait([self._looks])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pause())
            self._draining.cut_off(self._judge(asyncio.get_running_loop().time()))

    def _pause(self) -> float:
        settings = self.settings
        shortest = min(
            settings.default_deadline_seconds,
            settings.default_creation_deadline_seconds,
            settings.stream_idle_seconds,
            settings.connection_age_grace_seconds,
        )
        return min(shortest / LOOKS, LONGEST_PAUSE_SECONDS)

    def _judge(self, now: float) -> Callable[[Call], GatewayError | None]:
        idle_before = now - self.settings.stream_idle_seconds
        watching_before = now - self.settings.connection_age_grace_seconds

        def why(call: Call) -> GatewayError | None:
            if call.cut_off:
                return None
            if call.waiting_since < idle_before:
                doing = "sent nothing" if call.receives_stream else "read nothing"
                return CallerIdle(
                    f"the caller has {doing} for {self.settings.stream_idle_seconds:g} s"
                )
            if call.default_deadline < now:
                seconds = call.default_deadline - call.begun
                return CallTimeout(
                    f"the call took longer than the {seconds:g} s of a call without a deadline; "
                    "set one to wait longer"
                )
            if call.endless and call.begun < watching_before:
                # Its connection is closed before long, which would tell the caller less.
                return ServerDraining("watches end from time to time; watch again")
            return None

        return why
