"""What an account owns: its files, its batches, its settings and its clock."""

import secrets
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from batchgate_sandbox.batch import StoredBatch
from batchgate_sandbox.pace import Pace


@dataclass(slots=True)
class StoredFile:
    """A file's metadata; its bytes are at ``path``. Times are Unix seconds."""

    id: str
    filename: str
    purpose: str
    size: int
    created_at: float
    expires_at: float | None
    processed_at: float
    path: Path

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(slots=True)
class Settings:
    """What tests may change about one account. None means: as the flavour has it."""

    step_seconds: float
    slices: int
    file_pending_seconds: float
    advance_seconds: float = 0.0
    max_tasks: int | None = None
    max_file_bytes: int | None = None
    max_batch_file_bytes: int | None = None
    max_batch_files: int | None = None

    def change(self, wanted: dict[str, Any]) -> None:
        """Take over ``wanted``.

        Raises:
            ValueError: An unknown name, or a value of the wrong kind.
        """
        known = {one.name: one.type for one in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"no such setting: {name}; there are {', '.join(sorted(known))}")
            kind: Any = int | float if known[name] is float else known[name]
            good = isinstance(value, kind) and not isinstance(value, bool)
            if not good or (value or 0) < 0:
                raise ValueError(f"{name} must be a number from 0 on, of the right kind")
        for name, value in wanted.items():
            setattr(self, name, value)


@dataclass(slots=True)
class Account:
    """All that belongs to one key of one provider."""

    directory: Path
    settings: Settings
    files: dict[str, StoredFile] = field(default_factory=dict)
    batches: dict[str, StoredBatch] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)

    def now(self) -> float:
        """Unix seconds by this account's clock, which tests may set forward."""
        return time.time() + self.settings.advance_seconds

    def add_file(
        self,
        source: Path,
        *,
        filename: str,
        purpose: str,
        lifetime: int | None,
        pending: bool,
    ) -> StoredFile:
        """Take the finished file at ``source`` over as a file of this account."""
        now = self.now()
        file_id = f"file-{secrets.token_hex(16)}"
        path = source.rename(self.directory / file_id)
        stored = StoredFile(
            id=file_id,
            filename=filename,
            purpose=purpose,
            size=path.stat().st_size,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            processed_at=now + self.settings.file_pending_seconds if pending else now,
            path=path,
        )
        self.files[file_id] = stored
        return stored

    def find_file(self, file_id: str) -> StoredFile | None:
        """The file, unless it never was, was deleted or is past its expiry."""
        file = self.files.get(file_id)
        if file is not None and file.expired(self.now()):
            self.remove_file(file_id)
            return None
        return file

    def newest_files(self) -> list[StoredFile]:
        """All files that have not expired, newest first."""
        self._forget_expired()
        return list(reversed(self.files.values()))

    def newest_batches(self) -> list[StoredBatch]:
        """All batches, newest first."""
        return list(reversed(self.batches.values()))

    def remove_file(self, file_id: str) -> None:
        """Delete the file's record and bytes."""
        self.files.pop(file_id).path.unlink(missing_ok=True)

    def batch_files(self) -> Iterable[StoredFile]:
        """The uploaded input files, which Azure counts against a quota."""
        self._forget_expired()
        return [one for one in self.files.values() if one.purpose == "batch"]

    def _forget_expired(self) -> None:
        now = self.now()
        for file_id in [one.id for one in self.files.values() if one.expired(now)]:
            self.remove_file(file_id)


class Accounts:
    """Every account of the sandbox; asking for one opens it."""

    def __init__(self, directory: Path, pace: Pace) -> None:
        self.directory = directory
        self._pace = pace
        self._accounts: dict[tuple[str, str], Account] = {}

    def open(self, provider: str, key: str) -> Account:
        """The account that ``key`` names at ``provider``."""
        wanted = (provider, account_name(key))
        account = self._accounts.get(wanted)
        if account is None:
            settings = Settings(
                step_seconds=self._pace.step,
                slices=self._pace.slices,
                file_pending_seconds=self._pace.file_pending,
            )
            account = Account(directory=self.directory, settings=settings)
            self._accounts[wanted] = account
        return account


def account_name(key: str) -> str:
    """The account behind a key: what stands before the first ``~``.

    So ``team~1`` and ``team~2`` are two tokens of one account, as the short-lived tokens of
    Entra ID are.
    """
    return key.partition("~")[0]
