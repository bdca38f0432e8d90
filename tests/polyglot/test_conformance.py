"""One scenario, every language: each program's lines are as expected, and all are the same."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchgate.v1 import (
    batch_service_pb2,
    error_reason_pb2,
    file_service_pb2,
    provider_service_pb2,
)
from batchgate_sandbox.server import SandboxServer
from tests.polyglot.lines import comparable, kept, misses
from tests.polyglot.programs import PROGRAMS, ROOT, Program, build
from tests.polyglot.tally import STEPS
from tests.polyglot.world import World, world

SCENARIO = json.loads((ROOT / "clients/conformance/scenario.json").read_bytes())
STEPS_BY_NAME = {step["step"]: step for step in SCENARIO}
RUN_SECONDS = 120
# Reasons that no client causes by what it sends: each has a test where it is made.
NOT_BY_CLIENTS = {
    "SERVER_DRAINING",
    "INTERNAL",
    "GATEWAY_OVERLOADED",
    "AUDIT_UNAVAILABLE",
    "CALL_TIMEOUT",
    "CALLER_IDLE",
    "RESULTS_MISSING",
}
Lines = list[dict[str, Any]]
LinesOf = Callable[[Program], tuple[Lines, World]]


def lines_of(program: Program, world: World, directory: Path) -> Lines:
    """What the program prints for all steps that its client can do."""
    steps = [step for step in SCENARIO if step["op"] not in program.cannot]
    run = directory / "run.json"
    run.write_text(
        json.dumps({"address": world.address, "variables": world.variables, "steps": steps})
    )
    done = subprocess.run(
        [*program.run, str(run)],
        cwd=ROOT,
        capture_output=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["step"] for line in lines] == [step["step"] for step in steps]
    return lines


@pytest.fixture(scope="module")
def lines(
    sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> LinesOf:
    """A function that runs a program, once, in a world of its own."""
    ran: dict[str, tuple[Lines, World]] = {}

    def run(program: Program) -> tuple[Lines, World]:
        if program.name not in ran:
            build(program)
            directory = tmp_path_factory.mktemp(program.name)
            with world(sandbox.url, directory) as started:
                printed = lines_of(program, started, directory)
            ran[program.name] = printed, started
            pytestconfig.stash[STEPS][program.name] = len(printed)
        return ran[program.name]

    return run


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_step_gives_what_it_should(program: Program, lines: LinesOf) -> None:
    printed, world = lines(program)
    variables = dict(world.variables)
    wrong = []
    for line in printed:
        step = STEPS_BY_NAME[line["step"]]
        wrong += misses(step, line, variables)
        variables |= kept(step, line)
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", PROGRAMS[1:], ids=lambda program: program.name)
def test_all_languages_say_the_same(program: Program, lines: LinesOf) -> None:
    first, _ = lines(PROGRAMS[0])
    printed, _ = lines(program)
    shared = {line["step"] for line in printed} & {line["step"] for line in first}

    def same(given: Lines) -> list[str]:
        steady = [line for line in given if line["step"] in shared]
        return comparable([_without_what_varies(line) for line in steady])

    different = [
        pair for pair in zip(same(first), same(printed), strict=True) if len(set(pair)) > 1
    ]
    assert not different, "\n".join(f"- {one}\n+ {other}" for one, other in different)


def _without_what_varies(line: dict[str, Any]) -> dict[str, Any]:
    if STEPS_BY_NAME[line["step"]].get("varies"):
        return {"step": line["step"], "code": line["code"]}
    return line


def test_the_scenario_has_every_rpc() -> None:
    modules = (file_service_pb2, batch_service_pb2, provider_service_pb2)
    rpcs = {
        method.name
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert rpcs <= {step["op"] for step in SCENARIO}


def test_the_scenario_has_every_reason_that_a_client_can_cause() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]
    }
    expected = {step["expect"]["reason"] for step in SCENARIO if "reason" in step["expect"]}
    assert expected == reasons - NOT_BY_CLIENTS


def test_no_two_steps_have_one_name() -> None:
    assert len(STEPS_BY_NAME) == len(SCENARIO)
