"""Searches all that the suite writes for every secret that it uses; one that is found fails the run.

Searched are the lines of the gateways' logs and audit logs, what the tests' processes print, errors
and trailing metadata as callers get them, metrics and status pages, and the configuration as it
prints; also what tests hand to `collect`. Secrets are the credentials of every gateway's
configuration, accounts' keys, callers' tokens, and what else is named by `secret`. Each worker
searches its own; the summary counts all.

These are hooks of pytest: `conftest.py` imports them.
"""

import asyncio.subprocess
import functools
import importlib
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from pydantic import BaseModel, SecretStr

from batchgate_server import audit
from batchgate_server.application import Application

# What is shorter could stand anywhere by chance.
SHORTEST = 8
# A key that is shown in part is shown: this much of either end.
END = 12
WORDS = re.compile(r"[\w.~+/=*-]{8,}")
TEST_FILES = ("*audit*", "*.log")


class Search:
    """What was collected, and the secrets."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.words: dict[str, tuple[str, str]] = {}
        """Each word, with the place and the test where it was first."""
        self.lines: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.test = ""

    def collect(self, place: str, text: str) -> None:
        """Take what was written at a place."""
        if not text:
            return
        self.lines[place] += text.count("\n") + (not text.endswith("\n"))
        self.bytes[place] += len(text)
        for word in WORDS.findall(text):
            self.words.setdefault(word, (place, self.test))

    def found(self) -> Iterator[str]:
        """Where secrets stand."""
        parts: dict[str, set[str]] = {}
        for whole in self.secrets:
            ends = (whole[:END], whole[-END:]) if len(whole) >= 2 * END else ()
            for part in (whole, *ends):
                parts.setdefault(part[:SHORTEST], set()).add(part)
        for word, (place, test) in self.words.items():
            for start in range(len(word) - SHORTEST + 1):
                for part in parts.get(word[start : start + SHORTEST], ()):
                    if word.startswith(part, start):
                        yield f"{part[:4]}… of a secret in {place} of {test or 'no test'}"


SEARCH = Search()
_undo: list[Callable[[], None]] = []


def secret(value: str) -> str:
    """`value`, which must not be written anywhere from now on."""
    if len(value) >= SHORTEST:
        SEARCH.secrets.add(value)
    return value


def collect(place: str, text: str) -> None:
    """Let `text` be searched; `place` says what it is, such as "metrics"."""
    SEARCH.collect(place, text)


def secrets_of(value: object) -> Iterator[str]:
    """The secrets in a configuration."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from secrets_of(each)


def _replace(owner: Any, name: str, around: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(around(original)))
    _undo.append(lambda: setattr(owner, name, original))


def _watch_logs() -> None:
    def writes(original: Any) -> Any:
        def write(self: Any, message: str) -> None:
            collect("logs", message)
            original(self, message)

        return write

    for name in ("msg", "debug", "info", "warning", "error", "critical", "exception"):
        _replace(structlog.WriteLogger, name, writes)

    def captures(original: Any) -> Any:
        def capture(self: Any, logger: Any, method: str, event: Any) -> Any:
            # What a test takes before it is rendered; values are shown as `logs` shows them.
            collect("logs", repr({k: v for k, v in event.items() if k != "exc_info"}))
            return original(self, logger, method, event)

        return capture

    _replace(structlog.testing.LogCapture, "__call__", captures)

    def appends(original: Any) -> Any:
        def append(self: Any, line: bytes, **options: Any) -> None:
            collect("audit logs", line.decode())
            original(self, line, **options)

        return append

    _replace(audit.Target, "append", appends)


def _watch_callers() -> None:
    def fails(original: Any) -> Any:
        def fail(self: Any, *args: Any, **options: Any) -> None:
            original(self, *args, **options)
            trailing = self.trailing_metadata() or ()
            collect("errors", f"{self.details()} {self.debug_error_string()} {[*trailing]!r}")

        return fail

    _replace(grpc.aio.AioRpcError, "__init__", fails)

    def ends(original: Any) -> Any:
        def end(call: Any) -> Any:
            metadata = original(call)
            collect("trailing metadata", repr(metadata))
            return metadata

        return end

    for name in ("chain", "error_status"):
        module = importlib.import_module(f"batchgate_server.interceptors.{name}")
        _replace(module, "trailing_metadata", ends)


def _watch_admin() -> None:
    def tells(place: str, text_of: Callable[[Any], str]) -> Callable[[Any], Any]:
        def around(original: Any) -> Any:
            def tell(*args: Any, **options: Any) -> Any:
                answer = original(*args, **options)
                collect(place, text_of(answer))
                return answer

            return tell

        return around

    admin = importlib.import_module("batchgate_server.admin.server")
    _replace(admin, "rendered", tells("status pages", str))
    _replace(admin, "text_of", tells("metrics", lambda answer: answer[0].decode()))


def _watch_configurations() -> None:
    def begins(original: Any) -> Any:
        def begin(self: Any, settings: Any, **options: Any) -> None:
            for each in secrets_of(settings):
                secret(each)
            collect("configurations", f"{settings!r} {settings} {settings.model_dump_json()}")
            original(self, settings, **options)

        return begin

    _replace(Application, "__init__", begins)


def _watch_processes() -> None:
    def receives(original: Any) -> Any:
        def receive(self: Any, fd: int, data: bytes) -> None:
            collect("processes", data.decode(errors="replace"))
            original(self, fd, data)

        return receive

    _replace(asyncio.subprocess.SubprocessStreamProtocol, "pipe_data_received", receives)

    def communicates(original: Any) -> Any:
        def communicate(self: Any, *args: Any, **options: Any) -> Any:
            output = original(self, *args, **options)
            for text in output:
                shown = text.decode(errors="replace") if isinstance(text, bytes) else text
                collect("processes", shown or "")
            return output

        return communicate

    _replace(subprocess.Popen, "communicate", communicates)


def pytest_configure(config: pytest.Config) -> None:
    """Listen wherever something is written."""
    if _undo:
        return
    _watch_logs()
    _watch_callers()
    _watch_admin()
    _watch_configurations()
    _watch_processes()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Listen no more."""
    logging.getLogger().removeHandler(_LOGGING)
    while _undo:
        _undo.pop()()


class _Logging(logging.Handler):
    """Takes what libraries log, as far as it would get to the gateway's log."""

    def emit(self, record: logging.LogRecord) -> None:
        collect("logs", record.getMessage())


_LOGGING = _Logging(logging.WARNING)


def pytest_runtest_logstart(nodeid: str, location: object) -> None:
    """Whatever is written now is of this test."""
    SEARCH.test = nodeid
    # Again and again: configuring logs takes all handlers away.
    logging.getLogger().addHandler(_LOGGING)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What a test of this worker printed, but not what pytest tells of a failure."""
    # The last report has the sections of those before it, too.
    if report.when == "teardown" and not hasattr(report, "node"):
        for name, content in report.sections:
            # pytest's own capture of logs has also what no handler gets.
            if name.startswith("Captured std"):
                SEARCH.test = report.nodeid
                SEARCH.collect("output", content)


def _search_files(config: pytest.Config) -> None:
    base = getattr(getattr(config, "_tmp_path_factory", None), "_basetemp", None)
    if not isinstance(base, Path):
        return
    for pattern in TEST_FILES:
        for path in base.rglob(pattern):
            if path.is_file():
                SEARCH.test = path.name
                SEARCH.collect("files", path.read_text(errors="replace"))


def _result(config: pytest.Config) -> dict[str, Any]:
    _search_files(config)
    return {
        "secrets": len(SEARCH.secrets),
        "lines": dict(SEARCH.lines),
        "bytes": dict(SEARCH.bytes),
        "found": sorted(set(SEARCH.found())),
    }


_results: list[dict[str, Any]] = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker of pytest-xdist has ended."""
    if result := getattr(node, "workeroutput", {}).get("secret_search"):
        _results.append(result)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Search; what a worker finds goes to its controller."""
    output = getattr(session.config, "workeroutput", None)
    result = _result(session.config)
    if output is not None:
        output["secret_search"] = result
        return
    _results.append(result)
    if any(each["found"] for each in _results):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was searched, and what was found."""
    lines: Counter[str] = Counter()
    size = 0
    for each in _results:
        lines.update(each["lines"])
        size += sum(each["bytes"].values())
    if not lines:
        return
    places = ", ".join(f"{count:,} of {place}" for place, count in sorted(lines.items()))
    terminalreporter.write_line(
        f"secret search: {sum(each['secrets'] for each in _results):,} secrets in "
        f"{sum(lines.values()):,} lines, {size:,} bytes ({places})"
    )
    for found in sorted({one for each in _results for one in each["found"]}):
        terminalreporter.write_line(f"SECRET FOUND: {found}", red=True)
