"""`batchgate demo`: the real thing, and each way in which it can fail."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from typer.testing import CliRunner

from batchgate_client.cli import children, walkthrough
from batchgate_client.cli.children import Child, ChildFailedError, running
from batchgate_client.cli.program import app
from batchgate_client.cli.walkthrough import Step, WalkthroughFailedError

# A shell that runs the tests in the background lets its children ignore SIGINT.
MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from batchgate_client.cli import main
main()
"""
DEMO = [sys.executable, "-c", MAIN, "demo"]
STEPS = [
    "uploaded",
    "created",
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "answer",
    "failed",
    "retried",
    "tidied",
]


def test_the_demo() -> None:
    """Nothing of the user's own configuration is used, and no child is left."""
    own = {"BATCHGATE_LISTEN": "nowhere", "OPENAI_API_KEY": "sk-real", "AZURE_API_KEY": "az-real"}
    done = subprocess.run(
        DEMO, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    _, openai, azure, _ = re.split(r"\n\n", done.stdout)
    for provider, part in (("openai", openai), ("azure", azure)):
        name, *lines = part.splitlines()
        assert name == provider
        steps = [line.split()[0] for line in lines]
        assert [step for step in STEPS if step in steps] == STEPS
        assert sorted(set(steps), key=steps.index) == STEPS
        assert lines[steps.index("completed")].endswith("2 of 3 done, 1 failed")
        assert steps.count("retried") == steps.count("failed") == 2, "until all have succeeded"
        assert [line.split()[1] for line in lines if line.split()[0] == "answer"] == [
            "greeting:",
            "fact:",
            "farewell:",
        ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(number: signal.Signals) -> None:
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        while not demo.stdout.readline().startswith("gateway"):
            assert demo.poll() is None
        descendants = psutil.Process(demo.pid).children(recursive=True)
        assert len(descendants) >= 2
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert errors == "batchgate: interrupted\n"
    _, alive = psutil.wait_procs(descendants, timeout=30)
    assert not alive


def test_a_failed_walkthrough(monkeypatch: pytest.MonkeyPatch) -> None:
    def walk_through(address: str, provider: str) -> Iterator[Step]:
        yield "uploaded", "a file"
        raise WalkthroughFailedError("openai: batch failed: no such model")

    monkeypatch.setattr(walkthrough, "walk_through", walk_through)
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == (
        "batchgate: the demo failed: openai: batch failed: no such model"
    )


def test_a_child_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of what it said is shown."""
    monkeypatch.setattr("batchgate_client.cli.demo.LOCALLY", "nowhere:x")
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "batchgate: the demo failed: the sandbox ended at once with exit code 2",
        "  sandbox: batchgate: listen must be HOST:PORT, not 'nowhere:x'",
    ]


def replace_program(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(children, "PROGRAM", (sys.executable, "-c", code))


def test_a_child_that_says_nothing_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_program(monkeypatch, "import signal; signal.pause()")
    monkeypatch.setattr(children, "STARTING_SECONDS", 0.01)
    started = running(Child("sleeper"), environment={})
    with pytest.raises(ChildFailedError, match=r"^the sleeper did not start within 0\.01 s$"):
        started.__enter__()


def test_a_child_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_program(
        monkeypatch,
        "import signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('some words first')\n"
        "print('listening on here', flush=True)\n"
        "print('listening on elsewhere', flush=True)\n"
        "while True:\n"
        "    signal.pause()\n",
    )
    monkeypatch.setattr(children, "STOPPING_SECONDS", 0.2)
    with running(Child("stubborn"), environment={}) as child:
        assert child.address == "here"
