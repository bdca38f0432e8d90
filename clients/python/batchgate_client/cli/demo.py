"""`batchgate demo`: a sandbox, a gateway, and one batch on each of two providers."""

from contextlib import ExitStack

from rich.console import Console
from rich.text import Text

from batchgate_client.cli.children import Child, ChildFailedError, running
from batchgate_client.cli.failures import INTERRUPTED, failure, interruptible, server_extra

LOCALLY = "127.0.0.1:0"
# The sandbox takes any key but "invalid".
KEY = "sandbox-key"


def demo() -> None:
    """Try it: a provider and a gateway on this machine run one batch as OpenAI, one as Azure."""
    with server_extra():
        # One of its packages; both children need it.
        import uvloop  # noqa: F401, PLC0415
    # Here, since gRPC is slow to import.
    from batchgate_client.cli.walkthrough import WalkthroughFailedError, walk_through  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    children = [Child("sandbox"), Child("gateway")]
    try:
        # Interrupted, it leaves no child behind.
        with interruptible(), ExitStack() as stack:
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


def _show(console: Console, label: str, text: str, style: str) -> None:
    console.print(Text.assemble((f"{label:<14}", style), text))


def _last_errors(children: list[Child]) -> list[str]:
    return [f"  {child.name}: {line}" for child in children for line in child.last_errors]
