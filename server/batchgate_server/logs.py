"""What the gateway writes about its work: one line an event on stderr, for machines or people.

Every line comes through here, also those of libraries, and none shows what an exception says: it
may quote a caller's content or a key. A defect is told by the types and the places in the code.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
import structlog

from batchgate_server.call import current_trace_id
from batchgate_server.outside import shown
from batchgate_server.settings import LogSettings
from batchgate_server.stderr import STDERR

# Exceptions that led to each other, of which a defect is told.
LONGEST_CHAIN = 8


def configure_logs(settings: LogSettings, *, worker: int | None = None) -> None:
    """Set up structlog, and Python's own logging by it, for the whole process.

    With the number of a worker each line tells it. Lines go through `STDERR` where that runs.
    """
    renderer: structlog.typing.Processor = _as_json
    if settings.format != "json":
        # It quotes values that could be taken for further fields.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr is not None and sys.stderr.isatty()
        )
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _traced,
        *([] if worker is None else [partial(_numbered, worker)]),
        _told,
        renderer,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=_guarded(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=_Lines
        if STDERR.is_running
        else structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    STDERR.notice = partial(_missing, processors)
    # Whatever our own level is: what libraries say below a warning is the traffic itself.
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


class _Lines:
    """Where lines go in a process that serves."""

    def __init__(self, *_: object) -> None:
        """Just so: structlog passes what a logger was asked for with."""

    def msg(self, line: str) -> None:
        """Take a line."""
        STDERR.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


def _guarded(level: int) -> type[structlog.typing.FilteringBoundLogger]:
    """A logger for lines of this level and above, which fails nobody."""
    base: Any = structlog.make_filtering_bound_logger(level)

    class Guarded(base):  # type: ignore[misc] # made at runtime, by the level
        def _proxy_to_logger(self, method: str, event: str | None = None, /, **values: Any) -> Any:  # noqa: ANN401 - structlog's
            try:
                return super()._proxy_to_logger(method, event, **values)
            except Exception:  # noqa: BLE001 - whatever a value does when it is shown
                STDERR.drop()

    return Guarded


def _missing(processors: list[structlog.typing.Processor], count: int) -> str:
    """The line that tells how many are missing before it."""
    event: Any = {"event": "log lines could not be written", "lines": count}
    for processor in processors:
        event = processor(None, "warning", event)
    return f"{event}\n"


class _Libraries(logging.Handler):
    """Writes what libraries log as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """The first line of the message; in those that follow, asyncio shows values."""
        try:
            message = record.getMessage().partition("\n")[0]
        except (TypeError, ValueError):
            message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        structlog.get_logger().log(
            record.levelno, message, library=record.name, exc_info=record.exc_info
        )


def _told(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Every value as it may be shown."""
    raised = event.pop("exc_info", None)
    told = {name: _value(value) for name, value in event.items()}
    if raised:
        exception = sys.exc_info()[1] if raised is True else raised
        if isinstance(exception, tuple):
            exception = exception[1]
        if isinstance(exception, BaseException):
            told["exception"] = _places(exception)
    return told


def _value(value: object) -> object:
    if isinstance(value, str):
        return shown(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    if isinstance(value, Mapping):
        return {shown(str(name)): _value(one) for name, one in value.items()}
    return shown(repr(value))


def _places(exception: BaseException) -> str:
    """The traceback without what the exceptions say."""
    parts: list[str] = []
    current: BaseException | None = exception
    while current is not None and len(parts) < LONGEST_CHAIN:
        kind = type(current)
        places = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{kind.__module__}.{kind.__qualname__}\n{places}".rstrip())
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return "\nfrom ".join(parts)


def _traced(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """With the trace of the call at hand, if it has one."""
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


def _numbered(
    worker: int, _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["worker"] = worker
    return event


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    return msgspec.json.encode(event).decode()
