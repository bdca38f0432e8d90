"""What the gateway writes about its work: one line an event on stderr, for machines or people."""

import logging
import sys
from functools import partial

import msgspec
import structlog

from batchgate_server.settings import LogSettings


def configure_logs(settings: LogSettings, *, worker: int | None = None) -> None:
    """Set up structlog for the whole process; `worker` tells which of several it is."""
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        processors.append(partial(_numbered, worker))
    if settings.format == "json":
        processors += [structlog.processors.format_exc_info, _as_json]
    else:
        processors.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The default with rich installed shows local variables: keys, and callers' content.
                exception_formatter=structlog.dev.plain_traceback,
            )
        )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _numbered(
    worker: int, _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["worker"] = worker
    return event


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()
