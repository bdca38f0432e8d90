"""Addresses to listen on: whether they can be had."""

from pathlib import Path

import pytest

from batchgate_server.addresses import ensure_free


async def test_a_socket_in_no_directory(tmp_path: Path) -> None:
    await ensure_free(f"unix:{tmp_path}/batchgate.sock")
    with pytest.raises(FileNotFoundError):
        await ensure_free(f"unix:{tmp_path}/nowhere/batchgate.sock")
