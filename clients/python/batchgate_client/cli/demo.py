"""`batchgate demo`: a sandbox, a gateway, and one batch on each of two providers."""

import signal
from contextlib import ExitStack
from types import FrameType

from rich.console import Console
from rich.text import Text

from batchgate_client.cli.children import Child, ChildFailedError, running
from batchgate_client.cli.failures import failure

LOCALLY = "127.0.0.1:0"
# The sandbox takes any key but "invalid".
KEY = "sandbox-key"
INTERRUPTED = 128 + signal.SIGINT


def demo() -> None:
    """Try it: a provider and a gateway on this machine run one batch as OpenAI, one as Azure."""
    # Here, since gRPC is slow to import.
    from batchgate_client.cli.walkthrough import WalkthroughFailedError, walk_through  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    children = [Child("sandbox"), Child("gateway")]
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as stack:
            sandbox, gateway = _start(stack, *children)
            _show(console, "sandbox", f"a provider on this machine, at {sandbox.address}", "bold")
            _show(console, "gateway", f"listening on {gateway.address}", "bold")
            for provider in ("openai", "azure"):
                console.print()
                console.print(Text(provider, style="bold"))
                for step, text in walk_through(gateway.address, provider):
                    _show(console, f"  {step}", text, "cyan")
        console.print()
        console.print("Done: the same calls, two providers. Next: batchgate serve --help")
    except (ChildFailedError, WalkthroughFailedError) as error:
        raise failure(
            "\n".join([f"the demo failed: {error}", *_last_errors(children)]), code=1
        ) from None
    except KeyboardInterrupt:
        raise failure("interrupted", code=INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, previous)


def _start(stack: ExitStack, sandbox: Child, gateway: Child) -> tuple[Child, Child]:
    stack.enter_context(running(sandbox, "sandbox", "--listen", LOCALLY, environment={}))
    environment = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{sandbox.address}/v1",
        "AZURE_API_KEY": KEY,
        "AZURE_API_BASE": sandbox.address,
        # The sandbox's batches take a second; those of real services minutes to hours.
        "BATCHGATE_WATCH__FIRST_POLL_SECONDS": "0.05",
        "BATCHGATE_WATCH__SLOWEST_POLL_SECONDS": "0.05",
    }
    stack.enter_context(running(gateway, "serve", "--listen", LOCALLY, environment=environment))
    return sandbox, gateway


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # SIGTERM by itself would end this program at once and leave the children behind.
    raise KeyboardInterrupt


def _show(console: Console, label: str, text: str, style: str) -> None:
    console.print(Text.assemble((f"{label:<14}", style), text))


def _last_errors(children: list[Child]) -> list[str]:
    return [f"  {child.name}: {line}" for child in children for line in child.last_errors]
