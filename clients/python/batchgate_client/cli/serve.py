"""`batchgate serve`: the gateway in the foreground."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from batchgate_client.cli.failures import cannot_listen, failure, server_extra
from batchgate_client.cli.importing import uncollected

if TYPE_CHECKING:
    from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

# The options by the setting that each overrides, to tell a mistake by the name that was typed.
_OPTIONS = {
    "listen": "--listen",
    "server.workers": "--workers",
    "server.allow_anonymous": "--allow-anonymous",
    "admin.listen": "--admin",
    "admin.allow_remote": "--admin-allow-remote",
    "log.format": "--log-format",
    "log.level": "--log-level",
}


def serve(
    *,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="host:port or unix:/path; port 0 takes a free one. "
            "Default: as configured, else 127.0.0.1:50051.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file. Default: $BATCHGATE_CONFIG, else only the environment.",
            show_default=False,
        ),
    ] = None,
    insecure: Annotated[
        bool | None,
        typer.Option(
            "--insecure",
            help="Listen off loopback although there is no TLS.",
            show_default=False,
        ),
    ] = None,
    allow_anonymous: Annotated[
        bool | None,
        typer.Option(
            "--allow-anonymous",
            help="Listen off loopback although no callers are configured.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes that share the address, for more than one core. Default: 1.",
            show_default=False,
        ),
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Metrics, probes and a status page by HTTP, as 127.0.0.1:9464. Default: none.",
            show_default=False,
        ),
    ] = None,
    admin_allow_remote: Annotated[
        bool | None,
        typer.Option(
            "--admin-allow-remote",
            help="Let --admin listen off loopback.",
            show_default=False,
        ),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="json|console", help="Form of a log line.")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="debug|info|warning|error", help="Least serious line to log."),
    ] = None,
) -> None:
    """Run the gateway."""
    with server_extra(), uncollected():
        # Here, since both are slow to import and not there without the extra.
        from batchgate_server.settings import ConfigurationError, load_settings  # noqa: PLC0415
        from batchgate_server.workers.messages import WorkersFailedError  # noqa: PLC0415

    def load() -> "Settings":
        return load_settings(
            config=config,
            overrides={
                "listen": listen,
                "server": {
                    "workers": workers,
                    "insecure": insecure,
                    "allow_anonymous": allow_anonymous,
                },
                "admin": {"listen": admin, "allow_remote": admin_allow_remote},
                "log": {"format": log_format, "level": log_level},
            },
        )

    announced = False

    def announce(address: str) -> None:
        nonlocal announced
        announced = True
        # Where the audit log is the standard output, nothing else is.
        typer.echo(announcement(address, settings), err=settings.audit.file == "-")

    def unusable(error: ConfigurationError) -> Exception:
        given = {
            "listen": listen,
            "server.workers": workers,
            "server.allow_anonymous": allow_anonymous,
            "admin.listen": admin,
            # What is said of it is said of the option's address, too.
            "admin.allow_remote": admin,
            "log.format": log_format,
            "log.level": log_level,
        }
        lines = [
            f"  {_OPTIONS[one.place] if given.get(one.place) else one.place}: {one.message}"
            for one in error.problems
        ]
        return failure("\n".join(["the configuration cannot be used:", *lines]), code=2)

    try:
        settings = load()
    except ConfigurationError as error:
        raise unusable(error) from None
    try:
        _run(settings, load=load, announce=announce)
    except ConfigurationError as error:
        raise unusable(error) from None
    except OSError as error:
        if announced:
            raise  # It did listen; this is something else.
        raise cannot_listen(settings.listen, error) from None
    except WorkersFailedError as error:
        raise failure(str(error), code=1) from None


def _run(
    settings: "Settings", *, load: Callable[[], "Settings"], announce: Callable[[str], None]
) -> None:
    """Serve, in this process or by workers, for which this one needs far less."""
    with server_extra(), uncollected():
        if settings.server.workers > 1:
            from batchgate_server.workers.supervisor import supervise as run  # noqa: PLC0415
        else:
            from batchgate_server.__main__ import serve as run  # noqa: PLC0415
    run(settings, load=load, announce=announce)


def announcement(address: str, settings: "Settings") -> str:
    """Where the gateway listens and whom it calls, as lines for people and logs. No secrets."""
    names = list(settings.providers)
    default = settings.default_provider or (names[0] if len(names) == 1 else None)
    width = max(map(len, names))
    lines = [f"batchgate: listening on {address}"]
    for name, profile in settings.providers.items():
        mark = "  (default)" if name == default else ""
        lines.append(f"  {name:<{width}}  {_described(profile)}{mark}")
    return "\n".join(lines)


def _described(profile: "OpenAIProfile | AzureOpenAIProfile") -> str:
    if profile.kind == "openai":
        return f"{profile.kind} at {urlsplit(profile.base_url).netloc}"
    return f"{profile.kind} at {urlsplit(profile.endpoint).netloc}, API {profile.api_version}"
