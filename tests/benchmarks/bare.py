"""The gateway with nothing between a call and its one request: `python -m tests.benchmarks.bare serve`.

For comparison only: without retries and without the breaker.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from batchgate_client.cli.program import main
from batchgate_server.errors import GatewayError
from batchgate_server.rest import client
from batchgate_server.rest.breaker import Breaker

Answer = TypeVar("Answer")


async def once(send: Callable[[], Awaitable[Answer]], **_: object) -> Answer:
    return await send()


def attempt(_: Breaker, *, long: bool = False) -> AbstractContextManager[None]:
    return nullcontext()


def saw(_: Breaker, error: GatewayError | None) -> None:
    """Forget it."""


if __name__ == "__main__":
    bare: Any = client
    bare.repeated = once
    for name, function in {"attempt": attempt, "saw": saw}.items():
        setattr(Breaker, name, function)
    main()
