"""A file's content from an offset on, in order and without gaps."""

from collections.abc import AsyncGenerator, Iterator

import httpx

from batchgate_server.call import current_call
from batchgate_server.errors import (
    GatewayError,
    ProviderBadResponse,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from batchgate_server.files.whole import Whole, start_of
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.answers import pieces

# Advised for gRPC messages, and what the contract promises.
MAX_CHUNK = 256 * 1024
RANGE_NOT_SATISFIABLE = "416"
# How an answer breaks off.
BREAKS = (ProviderTimeout, ProviderUnavailable)


async def read_content(
    provider: OpenAIProvider, file_id: str, *, offset: int, limit: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Pieces of at most 256 KiB with their offsets; `limit` 0 means up to the end.

    Range requests are documented by no provider: one is tried for an offset, and where it is not
    honoured the bytes before are read and dropped. Offsets beyond the end give nothing. Where the
    answer breaks off another one is asked for, from there on, as often as the profile's `retries`
    say without any progress. All that comes is counted for the call at hand, whatever it is for.

    Raises:
        CallerLimit, GatewayOverloaded: it is too much for today.
    """
    call = current_call()
    reading = _Reading(provider, offset=offset, limit=limit)
    while not reading.is_done():
        before = reading.position
        try:
            async with provider.file_content(file_id, headers=reading.headers()) as response:
                reading.begin(response)
                async for piece in pieces(response):
                    call.spend(len(piece))
                    for chunk in reading.chunks(piece):
                        yield reading.position, chunk
                        reading.position += len(chunk)
                    if reading.is_done():
                        return
                reading.end()
        except ProviderRejected as exc:
            reading.refused(exc)
        except BREAKS as exc:
            if not await reading.goes_on(exc, progress=reading.position > before):
                raise


class _Reading:
    """One content that is read, in one or more answers."""

    def __init__(self, provider: OpenAIProvider, *, offset: int, limit: int) -> None:
        self._provider = provider
        self._offset = offset
        self._end = offset + limit if limit else None
        self._ranges = True  # whether to ask for parts
        self._whole: Whole | None = None  # as the first answer told it
        self._has_begun = False  # the answer at hand
        self._place = 0  # in the file, of what comes next
        self._attempt = 0
        self.position = offset
        """Of the next byte to give."""
        self._done = False

    def is_done(self) -> bool:
        """Whether nothing more is to be given."""
        return self._done

    def headers(self) -> list[tuple[str, str]]:
        """Those of the next request."""
        return [("range", f"bytes={self.position}-")] if self.position and self._ranges else []

    def begin(self, response: httpx.Response) -> None:
        """Take the next answer, which must be of the same content as those before."""
        self._has_begun = True
        whole = Whole.told_by(response)
        if self._whole is None or self.position == self._offset:
            self._whole = whole
            # Places in what is compressed are not those of the content.
            self._ranges = self._ranges and not whole.is_encoded
        elif not whole.may_be(self._whole):
            raise self._changed()
        self._place = start_of(response, self.position, self._end, provider=self._provider.name)

    def chunks(self, piece: bytes) -> Iterator[bytes]:
        """What of a piece is to be given; who takes it moves the position on."""
        begin = max(self.position - self._place, 0)
        self._place += len(piece)
        left = len(piece) if self._end is None else self._end - self.position
        end = min(begin + left, len(piece))
        if begin == 0 and end <= MAX_CHUNK:
            yield piece[:end]
        else:
            for start in range(begin, end, MAX_CHUNK):
                yield piece[start : min(start + MAX_CHUNK, end)]
        self._done = self._end is not None and self.position >= self._end

    def end(self) -> None:
        """The answer has come to its end, and with it the content."""
        if self._place < self.position > self._offset:
            raise self._changed()
        self._done = True

    def refused(self, error: ProviderRejected) -> None:
        """Go on where the provider has no such range; raises where it refuses something else."""
        if not self.headers() or error.metadata.get("http_status") != RANGE_NOT_SATISFIABLE:
            raise error
        if self._whole is None:
            self._done = True  # The offset is beyond the end.
        else:
            self._ranges = False  # Was the last byte the end? Only a whole answer tells.

    async def goes_on(self, error: GatewayError, *, progress: bool) -> bool:
        """Whether to ask again after a break, now that it has been waited for."""
        if not self._has_begun:
            return False  # That there is no answer at all has been tried again already.
        self._has_begun = False
        self._attempt = 1 if progress else self._attempt + 1
        return await self._provider.rest.endpoint.retries.pause(error, attempt=self._attempt)

    def _changed(self) -> ProviderBadResponse:
        name = self._provider.name
        return ProviderBadResponse(
            f"{name} broke the content off, and has another one now; read it from its beginning",
            metadata={"provider": name},
        )
