"""The sandbox's own paths, ``/_sandbox/…``: faults, the record of requests, settings.

No credential is asked for. ``?key=`` narrows to one account, so that tests can run side by side.
"""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from batchgate_sandbox.accounts import Accounts
from batchgate_sandbox.faults import Faults, read_fault
from batchgate_sandbox.recorder import Recorder

_PROVIDERS = ("openai", "azure")


class Control:
    """The handlers behind ``/_sandbox``."""

    def __init__(self, accounts: Accounts, faults: Faults, recorder: Recorder) -> None:
        self._accounts = accounts
        self._faults = faults
        self._recorder = recorder

    def routes(self) -> list[BaseRoute]:
        """What is reachable."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.list_faults, methods=["GET"]),
            Route("/faults", self.remove_faults, methods=["DELETE"]),
            Route("/requests", self.list_requests, methods=["GET"]),
            Route("/requests", self.forget_requests, methods=["DELETE"]),
            Route("/settings", self.change_settings, methods=["PATCH"]),
        ]

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - a handler's signature
        """``GET /health``: answers as soon as the sandbox does."""
        return JSONResponse({"status": "ok"})

    async def add_fault(self, request: Request) -> Response:
        """``POST /faults``: one fault, or a list of them."""
        given = await _json(request)
        try:
            faults = [read_fault(one) for one in (given if isinstance(given, list) else [given])]
        except (ValueError, TypeError, AttributeError) as exc:
            return _wrong(str(exc))
        for fault in faults:
            self._faults.add(fault)
        return JSONResponse({"faults": [one.shown() for one in faults]}, 201)

    async def list_faults(self, request: Request) -> Response:
        """``GET /faults``: those that still wait."""
        waiting = self._faults.waiting(_key(request))
        return JSONResponse({"faults": [one.shown() for one in waiting]})

    async def remove_faults(self, request: Request) -> Response:
        """``DELETE /faults``."""
        return JSONResponse({"removed": self._faults.remove(_key(request))})

    async def list_requests(self, request: Request) -> Response:
        """``GET /requests``: oldest first."""
        records = self._recorder.records(_key(request))
        return JSONResponse({"requests": [one.shown() for one in records]})

    async def forget_requests(self, request: Request) -> Response:
        """``DELETE /requests``."""
        return JSONResponse({"removed": self._recorder.forget(_key(request))})

    async def change_settings(self, request: Request) -> Response:
        """``PATCH /settings?key=…[&provider=…]``: an account's settings, at both providers."""
        key, provider = _key(request), request.query_params.get("provider")
        if not key:
            return _wrong("key is missing")
        if provider not in (None, *_PROVIDERS):
            return _wrong(f"provider must be one of {', '.join(_PROVIDERS)}")
        given = await _json(request)
        if not isinstance(given, dict):
            return _wrong("the body must be a JSON object")
        try:
            for one in _PROVIDERS if provider is None else (provider,):
                self._accounts.open(one, key).settings.change(given)
        except ValueError as exc:
            return _wrong(str(exc))
        return JSONResponse({"changed": sorted(given)})


async def _json(request: Request) -> Any:  # noqa: ANN401 - JSON is any value
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


def _key(request: Request) -> str | None:
    return request.query_params.get("key")


def _wrong(message: str) -> Response:
    return JSONResponse({"error": message}, 400)
