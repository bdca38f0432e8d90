"""Faults on demand: which requests go wrong, and how. ``misbehaviour`` carries them out.

A fault is a JSON object. It matches by ``method``, ``path`` (a glob over the path without the
query) or ``path_regex``, and ``key``; what is absent matches everything. ``skip`` lets that many
matching requests pass first; after ``times`` matches (null: no end) the fault is spent. The
oldest matching fault wins. ``delay`` (seconds) comes before anything else, in every kind.

=============  ==================================================================================
kind           what happens
=============  ==================================================================================
``answer``     the whole body is read, then ``status``, ``headers`` and ``body`` are answered
``early``      the same after ``read_bytes`` (64 KiB) of the body; no more is read, and the
               connection stays open for ``hold`` seconds (5), as with a server that has lost
               interest
``reset``      RST after ``read_bytes`` of the body (null: all of it)
``cut``        the answer declares its length, but ends after ``send_bytes`` (half of it)
``hang``       the body is read, and nothing is ever answered; with ``read_bytes`` no more than
               that is read, and the connection is closed after ``hold`` seconds
``slow_read``  the body is read at ``bytes_per_second``; then all goes as usual
``slow_send``  the answer is sent at ``bytes_per_second``
``delay``      only the delay
=============  ==================================================================================

With ``"process": true``, ``answer``, ``reset`` and ``hang`` let the sandbox do its work first, so
that only its answer is lost. ``reset_after`` resets the connection, kept alive by then, that many
seconds after the answer of an ``answer`` or ``delay``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from batchgate_sandbox.accounts import account_name

KINDS = ("answer", "early", "reset", "cut", "hang", "slow_read", "slow_send", "delay")


@dataclass(slots=True)
class Fault:
    """One fault; see the module for its members."""

    kind: str
    method: str | None = None
    path: str | None = None
    path_regex: str | None = None
    key: str | None = None
    skip: int = 0
    times: int | None = 1
    delay: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    read_bytes: int | None = None
    send_bytes: int | None = None
    bytes_per_second: float | None = None
    hold: float = 5.0
    process: bool = False
    reset_after: float | None = None
    id: int = 0
    matched: int = 0

    def matches(self, method: str, path: str, key: str) -> bool:
        """Whether a request is meant."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.path is None or fnmatchcase(path, self.path))
            and (self.path_regex is None or re.fullmatch(self.path_regex, path) is not None)
            and (self.key is None or same_key(self.key, key))
        )

    def spent(self) -> bool:
        """Whether it will not act again."""
        return self.times is not None and self.matched >= self.skip + self.times

    def shown(self) -> dict[str, Any]:
        """The fault without its key."""
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name != "key" and getattr(self, one.name) is not None
        }


def same_key(wanted: str, key: str) -> bool:
    """A key without ``~`` stands for its whole account, one with it for itself."""
    return key == wanted or ("~" not in wanted and account_name(key) == wanted)


_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in KINDS),
    "status": ("a whole number from 200 to 599", lambda value: _whole(value, 200, 599)),
    "times": ("a whole number from 1, or null", lambda value: value is None or _whole(value, 1)),
    "skip": ("a whole number from 0", lambda value: _whole(value, 0)),
    "read_bytes": ("a whole number from 0", lambda value: value is None or _whole(value, 0)),
    "send_bytes": ("a whole number from 0", lambda value: value is None or _whole(value, 0)),
    "bytes_per_second": ("a number above 0", lambda value: _number(value) and value > 0),
    "delay": ("a number", lambda value: _number(value) and value >= 0),
    "hold": ("a number", lambda value: _number(value) and value >= 0),
    "reset_after": ("a number", lambda value: _number(value) and value >= 0),
    "process": ("true or false", lambda value: isinstance(value, bool)),
    "headers": (
        "an object of strings",
        lambda value: (
            isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        ),
    ),
    "method": ("a string", lambda value: isinstance(value, str)),
    "path": ("a string", lambda value: isinstance(value, str)),
    "path_regex": ("a regular expression", lambda value: isinstance(value, str) and _regex(value)),
    "key": ("a string", lambda value: isinstance(value, str)),
    "body": ("any JSON", lambda _: True),
}


def read_fault(given: dict[str, Any]) -> Fault:
    """The fault that a JSON object describes.

    Raises:
        ValueError: A member is unknown or wrong.
    """
    for name, value in given.items():
        if name not in _CHECKS:
            raise ValueError(f"unknown member {name!r}; there are {', '.join(_CHECKS)}")
        meaning, holds = _CHECKS[name]
        if not holds(value):
            raise ValueError(f"{name} must be {meaning}")
    if "kind" not in given:
        raise ValueError(f"kind is missing: {_CHECKS['kind'][0]}")
    if given["kind"].startswith("slow_") and "bytes_per_second" not in given:
        raise ValueError(f"{given['kind']} needs bytes_per_second")
    return Fault(**given)


def _whole(value: object, least: int, most: float = float("inf")) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _regex(value: str) -> bool:
    try:
        re.compile(value)
    except re.error:
        return False
    return True


class Faults:
    """The faults that are waiting, in the order they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = count(1)

    def add(self, fault: Fault) -> Fault:
        """Take a fault and give it an id."""
        fault.id = next(self._ids)
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str, key: str) -> Fault | None:
        """The fault that this request meets, counted as met."""
        for fault in self._faults:
            if fault.matches(method, path, key):
                fault.matched += 1
                if fault.spent():
                    self._faults.remove(fault)
                if fault.matched > fault.skip:
                    return fault
        return None

    def waiting(self, key: str | None) -> list[Fault]:
        """The faults for ``key``, or all."""
        return [one for one in self._faults if key is None or one.key == key]

    def remove(self, key: str | None) -> int:
        """Forget the faults for ``key``, or all; how many there were."""
        gone = self.waiting(key)
        self._faults = [one for one in self._faults if one not in gone]
        return len(gone)
