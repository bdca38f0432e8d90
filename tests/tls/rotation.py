"""Callers that call without a pause while all certificates and authorities change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tests.certificates import Authority, Issued
from tests.tls.conftest import call, channel_to, serial_shown
from tests.tls.volume import Volume
from tests.waiting import eventually

FILES = {"certificate_file": "tls.crt", "key_file": "tls.key", "client_ca_file": "ca.crt"}


@dataclass
class Rotation:
    """A gateway's mounted secret, its callers' certificates, and a count of their calls."""

    directory: Path
    first: Authority = field(init=False)
    second: Authority = field(init=False)
    volume: Volume = field(init=False)
    caller: Issued = field(init=False)
    """What callers show from now on, on new connections."""
    serial: int = 0
    done: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first, self.second = (Authority(self.directory, name) for name in ("first", "second"))
        self.caller = self.first.issue("caller")
        self.volume = Volume(
            self.directory / "secret", self._content(self.first, self.first.certificate)
        )

    @property
    def roots(self) -> bytes:
        """Callers trust both authorities all the time."""
        return self.first.certificate + self.second.certificate

    def settings(self) -> dict[str, str]:
        """The settings `tls`."""
        return {key: str(self.volume.directory / name) for key, name in FILES.items()}

    async def run(self, address: str, *, rounds: int) -> None:
        """Rotate from the first authority to the second and back, so often."""
        for _ in range(rounds):
            for new in (self.second, self.first):
                # Both are taken until every caller has the new certificate.
                await self._swap(address, new, self.roots)
                self.caller = new.issue("caller")
                await self._everybody_called()
                await self._swap(address, new, new.certificate)
                await self._everybody_called()

    async def _swap(self, address: str, issuer: Authority, client_ca: bytes) -> None:
        self.volume.swap(self._content(issuer, client_ca))

        async def shown() -> bool:
            return await serial_shown(address, self.roots, self.caller) == self.serial

        await eventually(shown)

    async def _everybody_called(self) -> None:
        # Two each: the first may have begun before.
        wanted = {name: count + 2 for name, count in self.done.items()}
        await eventually(lambda: all(self.done[name] >= count for name, count in wanted.items()))

    def _content(self, issuer: Authority, client_ca: bytes) -> dict[str, bytes]:
        issued = issuer.issue("server")
        self.serial = issued.serial
        return {"tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": client_ca}

    @asynccontextmanager
    async def callers(self, address: str, *, each: int) -> AsyncIterator[None]:
        """So many callers that keep their channel, and as many that take a new one each time."""
        kinds = {"staying": self._staying, "fresh": self._fresh}
        names = {f"{kind} {number}": kind for kind in kinds for number in range(each)}
        self.done = dict.fromkeys(names, 0)
        tasks = [asyncio.create_task(kinds[kind](address, name)) for name, kind in names.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends

    async def _staying(self, address: str, name: str) -> None:
        async with channel_to(address, self.roots, self.caller) as channel:
            while True:
                await self._call(channel, name)

    async def _fresh(self, address: str, name: str) -> None:
        while True:
            async with channel_to(address, self.roots, self.caller) as channel:
                await self._call(channel, name)

    async def _call(self, channel: grpc.aio.Channel, name: str) -> None:
        try:
            await call(channel)
        except grpc.aio.AioRpcError as error:
            self.failed.append(f"{name}: {error.code()}: {error.details()}")
        self.done[name] += 1
