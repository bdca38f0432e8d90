"""From `batchgate serve` to a gateway that serves: `python -m tests.benchmarks.startup`."""

import argparse
import time
from collections.abc import Iterator

import grpc
from grpc_health.v1 import health, health_pb2

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, table

NOBODY = "http://127.0.0.1:9"


def figures(*, repeats: int) -> Iterator[Figure]:
    """Seconds until it is announced and healthy, and the memory it has then."""
    seconds, memory, cpu = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        with processes.gateway(NOBODY) as gateway:
            with grpc.insecure_channel(gateway.address) as channel:
                check: grpc.UnaryUnaryMultiCallable[bytes, bytes]
                check = channel.unary_unary(f"/{health.SERVICE_NAME}/Check")
                answer = health_pb2.HealthCheckResponse.FromString(check(b"", timeout=10))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            seconds.append(time.perf_counter() - start)
            cpu.append(gateway.cpu_seconds())
            memory.append(gateway.memory())
    yield Figure("ready to serve", "s", seconds, at_most=1.5)
    yield Figure("ready to serve", "CPU seconds", cpu)
    yield Figure("idle", "MiB", memory, at_most=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    list(table("Start", figures(repeats=parser.parse_args().repeats)))
