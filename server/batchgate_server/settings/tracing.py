"""Whether calls are traced, and where the traces go: the standard OTEL_* variables say it.

OpenTelemetry's own SDK reads the rest of them: endpoints, headers, sampling, the service's name.
"""

import os
from collections.abc import Mapping
from typing import Literal, TypeAlias

from batchgate_server.settings.problems import ConfigurationError, Problem

EXPORTER, DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
Exporter: TypeAlias = Literal["grpc", "http/protobuf", "console"]


def traces_exporter(environment: Mapping[str, str] | None = None) -> Exporter | None:
    """How traces leave; None where there are to be none.

    Raises:
        ConfigurationError: a variable has a value that means nothing here.
    """
    environment = os.environ if environment is None else environment
    if environment.get(DISABLED, "").lower() == "true":
        return None
    wanted = environment.get(EXPORTER, "")
    if not wanted and not any(environment.get(name) for name in ENDPOINTS):
        return None
    match wanted or "otlp":
        case "none":
            return None
        case "console":
            return "console"
        case "otlp":
            return _protocol(environment)
    raise ConfigurationError([Problem(EXPORTER, "must be otlp, console or none")])


def _protocol(environment: Mapping[str, str]) -> Exporter:
    for name in PROTOCOLS:
        match environment.get(name):
            case None | "":
                continue
            case "grpc":
                return "grpc"
            case "http/protobuf":
                return "http/protobuf"
            case _:
                raise ConfigurationError([Problem(name, "must be grpc or http/protobuf")])
    return "grpc"
