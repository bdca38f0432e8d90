"""How much callers may use, each by itself and all together."""

from typing import Any

from batchgate_server.call import Call
from batchgate_server.callers.allowance import Allowance
from batchgate_server.callers.origin import origin
from batchgate_server.fairness import Sharer
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.settings import Settings


class Limiting:
    """A concern that takes a place for each call, or refuses it."""

    def __init__(self, settings: Settings) -> None:
        self._overall = Allowance("", settings.limits)
        self._own: dict[str, Allowance] = {}
        self._share = settings.limits.caller_share
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Hold callers to these limits from now on; what was counted stays."""
        self._overall.limits = settings.limits
        self._share = settings.limits.caller_share
        for name, limits in settings.callers.items():
            if name in self._own:
                self._own[name].limits = limits
            else:
                self._own[name] = Allowance(name, limits)
        for name in self._own.keys() - settings.callers.keys():
            del self._own[name]

    async def __call__(
        self,
        call: Call,
        context: Context,
        proceed: Proceed,
    ) -> Any:  # noqa: ANN401 - any message
        """Runs the call within the limits."""
        if not call.caller.name:
            call.sharer = Sharer(origin(context.peer()), self._share)
            call.allowances = (self._overall,)
            with self._overall.using(call.kind, call.sharer):
                return await proceed()
        call.sharer = Sharer(call.caller.name, self._share)
        own = self._own[call.caller.name]
        call.allowances = (own, self._overall)
        # Its own first: that tells the caller more.
        with own.using(call.kind), self._overall.using(call.kind, call.sharer):
            return await proceed()
