"""Uploads a file some times, and prints the seconds that each took: ADDRESS FILE TIMES [async]."""

import asyncio
import json
import sys
import time

from batchgate_client import AsyncClient, Client


def uploads(address: str, path: str, times: int) -> list[float]:
    """By the sync client."""
    seconds = []
    with Client(address) as client:
        for _ in range(times):
            began = time.perf_counter()
            client.upload_file(path, purpose="user_data")
            seconds.append(time.perf_counter() - began)
    return seconds


async def async_uploads(address: str, path: str, times: int) -> list[float]:
    """By the async client."""
    seconds = []
    async with AsyncClient(address) as client:
        for _ in range(times):
            began = time.perf_counter()
            await client.upload_file(path, purpose="user_data")
            seconds.append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    arguments = (sys.argv[1], sys.argv[2], int(sys.argv[3]))
    found = asyncio.run(async_uploads(*arguments)) if sys.argv[4:] else uploads(*arguments)
    sys.stdout.write(json.dumps(found))
