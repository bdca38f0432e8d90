"""`batchgate serve` as users run it, which besides tells how many tasks its event loop has.

`python -m tests.chaos.gateway serve …`: the number stands in the file that `CHAOS_VITALS` names.
"""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

import uvloop

from batchgate_client.cli import main

INTERVAL_SECONDS = 0.1


def run(program: Coroutine[Any, Any, Any], **options: Any) -> Any:
    """As uvloop's own; the count is a timer of the loop, no task."""

    async def telling() -> Any:
        loop = asyncio.get_running_loop()
        file = os.open(os.environ["CHAOS_VITALS"], os.O_WRONLY | os.O_CREAT)

        def tell() -> None:
            os.pwrite(file, b"%8d" % len(asyncio.all_tasks()), 0)
            loop.call_later(INTERVAL_SECONDS, tell)

        tell()
        return await program

    return original(telling(), **options)


if __name__ == "__main__":
    original = uvloop.run
    vars(uvloop)["run"] = run
    main()
