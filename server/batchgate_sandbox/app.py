"""The sandbox put together: flavours at their paths, operations, faults, the record."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from batchgate_sandbox import files_api
from batchgate_sandbox.accounts import Accounts, account_name
from batchgate_sandbox.batches_api import BatchesApi
from batchgate_sandbox.call import Call
from batchgate_sandbox.control import Control
from batchgate_sandbox.errors import Reason, RefusedError, invalid
from batchgate_sandbox.faults import Faults
from batchgate_sandbox.flavours.azure import Azure2024, Azure2025Preview, AzureV1
from batchgate_sandbox.flavours.openai import OpenAI
from batchgate_sandbox.lifecycle import BatchRuns
from batchgate_sandbox.misbehaviour import Misbehaviour
from batchgate_sandbox.pace import Pace
from batchgate_sandbox.recorder import Recorder

WRONG_KEY = "invalid"
# The status that proxies log where the caller went away.
_GONE = 499
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_DATED: dict[str, OpenAI] = {"2024-10-21": Azure2024(), "2025-04-01-preview": Azure2025Preview()}
_OPENAI, _AZURE_V1 = OpenAI(), AzureV1()

Handler = Callable[[Call], Awaitable[Response]]


def create_app(*, directory: Path, pace: Pace, closing: asyncio.Event | None = None) -> ASGIApp:
    """The sandbox as an ASGI application that keeps its files in ``directory``.

    Faults on the connection itself need ``wire.SandboxProtocol`` under it. ``closing``, once
    set, ends what would hold up a shutdown.
    """
    faults, runs = Faults(), BatchRuns()
    accounts = Accounts(directory, pace)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await runs.stop()

    table = _Table(accounts, BatchesApi(runs))
    routes: list[BaseRoute] = [
        Mount("/v1", routes=table.routes(lambda _: _OPENAI)),
        Mount("/openai/v1", routes=table.routes(_v1)),
        Mount("/openai", routes=table.routes(_dated)),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    recorder = Recorder(Misbehaviour(app, faults, closing or asyncio.Event()))
    app.router.routes.insert(
        0, Mount("/_sandbox", routes=Control(accounts, faults, recorder).routes())
    )
    return recorder


def _v1(request: Request) -> OpenAI:
    if request.query_params.get("api-version", "v1") not in ("v1", "preview"):
        raise invalid("API version not supported", code="BadRequest")
    return _AZURE_V1


def _dated(request: Request) -> OpenAI:
    flavour = _DATED.get(request.query_params.get("api-version", ""))
    if flavour is None:
        raise Azure2024().no_such_path(request.method, request.url.path)
    return flavour


class _Table:
    """Which handler an operation has, the same for every flavour."""

    def __init__(self, accounts: Accounts, batches: BatchesApi) -> None:
        self._accounts = accounts
        self._paths: dict[str, dict[str, Handler]] = {
            "/files": {"GET": files_api.list_files, "POST": files_api.create_file},
            "/files/{file_id}": {"GET": files_api.get_file, "DELETE": files_api.delete_file},
            "/files/{file_id}/content": {"GET": files_api.get_content},
            "/batches": {"GET": batches.list, "POST": batches.create},
            "/batches/{batch_id}": {"GET": batches.get},
            "/batches/{batch_id}/cancel": {"POST": batches.cancel},
            "/{path:path}": {},
        }

    def routes(self, flavour_of: Callable[[Request], OpenAI]) -> list[BaseRoute]:
        """The routes under one flavour's base path."""
        return [
            Route(path, self._endpoint(handlers, flavour_of), methods=_METHODS)
            for path, handlers in self._paths.items()
        ]

    def _endpoint(
        self, handlers: dict[str, Handler], flavour_of: Callable[[Request], OpenAI]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            # Until the version is known, answers are those of the gateway in front.
            flavour: OpenAI = (
                _OPENAI if request.url.path.startswith("/v1") else _DATED["2024-10-21"]
            )
            try:
                flavour = flavour_of(request)
                response = await self._handle(request, handlers, flavour)
            except RefusedError as refusal:
                response = flavour.refusal(refusal)
            except ClientDisconnect:
                # Nobody is there to read this; what was begun has been undone by now.
                response = Response(status_code=_GONE)
            response.headers[flavour.request_id_header] = flavour.new_request_id()
            return response

        return endpoint

    async def _handle(
        self, request: Request, handlers: dict[str, Handler], flavour: OpenAI
    ) -> Response:
        key = flavour.credential(request.headers)
        if account_name(key) == WRONG_KEY:
            raise flavour.wrong_credential(key, request.headers)
        flavour.check_request_id(request.headers.get("x-client-request-id", ""))
        handler = handlers.get(request.method)
        if handler is None and handlers:
            message = f"Not allowed to {request.method} on {request.url.path}"
            raise RefusedError(Reason.WRONG_METHOD, message)
        if handler is None:
            raise flavour.no_such_path(request.method, request.url.path)
        account = self._accounts.open(flavour.provider, key)
        return await handler(Call(request, flavour, account))
