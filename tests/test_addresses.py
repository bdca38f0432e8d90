"""Addresses to listen on: who can reach them, and whether they can be had."""

from pathlib import Path

import pytest

from batchgate_server.addresses import ensure_free, is_local


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.10:1", True),
        ("[::1]:50051", True),
        ("localhost:50051", True),
        ("unix:/run/batchgate.sock", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("10.0.0.1:50051", False),
        ("gateway.internal:50051", False),
    ],
)
def test_is_local(listen: str, local: bool) -> None:
    assert is_local(listen) == local


async def test_a_socket_in_no_directory(tmp_path: Path) -> None:
    await ensure_free(f"unix:{tmp_path}/batchgate.sock")
    with pytest.raises(FileNotFoundError):
        await ensure_free(f"unix:{tmp_path}/nowhere/batchgate.sock")
