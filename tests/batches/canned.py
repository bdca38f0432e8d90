"""A provider without a network, that answers as it is told and remembers what it was asked."""

from collections.abc import Callable
from typing import Any

import httpx

from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.settings import load_settings

Answer = Callable[[httpx.Request], httpx.Response | None]


class CannedProvider:
    """Batches by id, and `answer` for what is to be answered otherwise."""

    def __init__(self) -> None:
        self.batches: dict[str, dict[str, Any]] = {}
        self.unlisted: set[str] = set()
        self.asked: list[str] = []
        """`list` or the id of a batch."""
        self.answer: Answer = lambda request: None
        self._providers: dict[str, OpenAIProvider] = {}

    def find(self, name: str) -> OpenAIProvider:
        """The profile of that name that calls this, always the same."""
        if name not in self._providers:
            profile = {
                "kind": "openai",
                "base_url": "http://provider.test/v1",
                "api_key": "sk-test",
            }
            settings = load_settings(environment={}, overrides={"providers": {name: profile}})
            self._providers[name] = ProviderRegistry(
                settings, open_transport=lambda profile: httpx.MockTransport(self)
            ).find(name)
        return self._providers[name]

    def add(self, *ids: str, **fields: Any) -> None:
        for batch_id in ids:
            self.batches[batch_id] = {"id": batch_id, "status": "in_progress", **fields}

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        self.asked.append("list" if name == "batches" else name)
        if answer := self.answer(request):
            return answer
        if name == "batches":
            return self._page(request.url.params)
        if name not in self.batches:
            return httpx.Response(404, json={"error": {"message": "no such batch"}})
        return httpx.Response(200, json=self.batches[name])

    def _page(self, params: httpx.QueryParams) -> httpx.Response:
        ids = [one for one in self.batches if one not in self.unlisted]
        start = ids.index(params["after"]) + 1 if "after" in params else 0
        page = ids[start : start + int(params["limit"])]
        return httpx.Response(
            200,
            json={
                "data": [self.batches[one] for one in page],
                "has_more": start + len(page) < len(ids),
            },
        )
