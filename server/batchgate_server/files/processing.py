"""A file that was uploaded just now may not be usable at once: the wait until it is."""

import asyncio
from collections.abc import Iterator

from batchgate_server.errors import GatewayError, ProviderConflict, ProviderNotFound
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestFile

NOT_YET = {"pending", "running"}
# A provider whose storage is behind says "not found" of a file it has just accepted; how long to
# doubt that, in seconds. A mistyped id waits as long for its answer.
VISIBLE_WITHIN = 2.0
SLOWEST_POLL = 5.0


def pauses(first: float) -> Iterator[float]:
    """Seconds between looks, longer each time and without end."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.6, SLOWEST_POLL)


def is_pending(file: RestFile) -> bool:
    """Whether the provider is still at work on a file."""
    return file.status.lower() in NOT_YET


async def processed(provider: OpenAIProvider, file_id: str, *, patient: bool = False) -> RestFile:
    """The file as soon as the provider has processed it, within the caller's deadline.

    Without a deadline the wait ends with the profile's `timeout_seconds`. With `patient` a passing
    fault of the provider does not end it.

    Raises:
        ProviderConflict: the provider could not process the file, or has not done so in time.
    """
    waited = 0.0
    state = "unknown"
    for pause in pauses(0.1):
        try:
            file = await provider.get_file(file_id)
        except ProviderNotFound:
            if waited >= VISIBLE_WITHIN:
                raise
        except GatewayError as exc:
            if not (patient and exc.retryable):
                raise
        else:
            if file.status.lower() == "error":
                raise _failed(provider, file)
            if not is_pending(file):
                return file
            state = file.status.lower()
        if waited >= provider.profile.timeout_seconds:
            raise ProviderConflict(
                f"{provider.name} has not processed the file {file_id} yet (status {state}); "
                "try again later",
                metadata={"provider": provider.name},
            )
        await asyncio.sleep(pause)
        waited += pause
    raise AssertionError  # pragma: no cover - the pauses are endless


async def processed_upload(provider: OpenAIProvider, file: RestFile) -> RestFile:
    """A file that this call has uploaded, once it is processed.

    Never fails with UNAVAILABLE, since clients would repeat the whole upload by themselves.
    """
    if file.status.lower() == "error":
        raise _failed(provider, file)
    if not is_pending(file):
        return file
    try:
        return await processed(provider, file.id, patient=True)
    except GatewayError as exc:
        if file.id not in exc.message:
            exc.amend(f"the file was uploaded as {file.id}")
        raise


def _failed(provider: OpenAIProvider, file: RestFile) -> ProviderConflict:
    details = provider.rest.endpoint.clean(file.status_details) or "it does not say why"
    return ProviderConflict(
        f"{provider.name} could not process the file {file.id}: {details}",
        metadata={"provider": provider.name},
    )
