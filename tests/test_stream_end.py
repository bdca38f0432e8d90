"""What goes out before an answer is sent to its end, whoever is cancelled meanwhile."""

import asyncio
import gc
from typing import Any, cast

import pytest
from grpc.aio import ServicerContext

from batchgate_server.stream_end import send_initial_metadata


class SlowContext:
    """Sends nothing before it may."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.may_send = asyncio.Event()
        self.sent = False
        self._failure = failure

    async def send_initial_metadata(self, metadata: object) -> None:
        assert metadata == ()
        await self.may_send.wait()
        if self._failure:
            raise self._failure
        self.sent = True


def sending(context: SlowContext) -> asyncio.Task[None]:
    return asyncio.create_task(send_initial_metadata(cast("ServicerContext[Any, Any]", context)))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_is_sent() -> None:
    context = SlowContext()
    task = sending(context)
    context.may_send.set()
    await task
    assert context.sent


@pytest.mark.parametrize("times", [1, 3])
async def test_who_is_cancelled_is_so_when_it_is_sent(times: int) -> None:
    context = SlowContext()
    task = sending(context)
    await turns()
    for _ in range(times):
        task.cancel()
        await turns()
        assert not task.done()
    context.may_send.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert context.sent


async def test_what_went_wrong_is_raised() -> None:
    context = SlowContext(failure=ValueError("gone"))
    task = sending(context)
    context.may_send.set()
    with pytest.raises(ValueError, match="gone"):
        await task


async def test_a_cancelled_one_is_cancelled_though_it_went_wrong() -> None:
    """And asyncio does not complain that nobody looked at what went wrong."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    context = SlowContext(failure=ValueError("gone"))
    task = sending(context)
    await turns()
    task.cancel()
    context.may_send.set()
    await asyncio.wait([task])
    assert task.cancelled()
    # It complains when it forgets the task.
    del task, context
    gc.collect()
    assert complaints == []
