"""The core is given to gRPC's own threads, and to a busy neighbour now and then only."""

import os

import pytest

from batchgate_server.interceptors import yielding


class Machine:
    """Clocks, and what happens to them when the core is yielded."""

    def __init__(self) -> None:
        self.wall = self.used = 1000.0
        self.yields = 0
        self.own = self.others = 0.0

    def sched_yield(self) -> None:
        self.yields += 1
        self.wall += self.own + self.others
        self.used += self.own

    def sleep(self, seconds: float) -> None:
        self.wall += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(yielding, "monotonic", lambda: machine.wall)
    monkeypatch.setattr(yielding, "process_time", lambda: machine.used)
    monkeypatch.setattr(os, "sched_yield", machine.sched_yield)
    return machine


def test_own_threads_get_it_each_time(machine: Machine) -> None:
    machine.own = 0.1
    yield_core = yielding.CoreYield()
    for _ in range(10):
        yield_core()
    assert machine.yields == 10


def test_a_neighbour_gets_a_twentieth(machine: Machine) -> None:
    machine.own, machine.others = 0.001, 0.004
    yield_core = yielding.CoreYield()
    yield_core()
    began = machine.wall
    while machine.wall - began < 10:
        yield_core()
        machine.sleep(0.0001)
    given = (machine.yields - 1) * machine.others
    assert given == pytest.approx(10 / 20, rel=0.1)


def test_what_is_over_is_forgotten(machine: Machine) -> None:
    machine.others = 0.004
    yield_core = yielding.CoreYield()
    yield_core()
    machine.others = 0.0
    machine.sleep(0.081)
    for _ in range(10):
        yield_core()
    assert machine.yields == 11
