"""What is asked for under a `request_id`, so that the id cannot stand for something else later."""

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.operations import REQUEST_ID_KEY, digest_under, request_key
from batchgate_server.rest.models import RestBatch

Creation: TypeAlias = pb.CreateBatchRequest | pb.SubmitBatchMetadata | pb.RetryBatchRequest
DIGEST_BYTES = 16
DEFAULT_WINDOW = "24h"


class Rest(Protocol):
    """The messages of a stream behind the first."""

    async def read_out(self) -> None:
        """Read what is left of them, and do nothing with it."""

    def digest(self) -> bytes:
        """A digest of what has been read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One creation, as its caller asked for it."""

    request_id: str
    key: str
    """What stands for the request_id at the provider."""
    opening: bytes
    """A digest of the request, or of a stream's first message."""
    differs: Callable[[RestBatch], bool]
    """Whether a batch of which no digest is kept is visibly another one."""
    rest: Rest | None = None
    """What follows in a stream."""

    @property
    def digest(self) -> str:
        """A digest of all that was asked for; of a stream when it has been read."""
        rest = self.rest.digest() if self.rest else b""
        return hashlib.sha256(self.opening + rest).digest()[:DIGEST_BYTES].hex()


def asked(
    request: Creation,
    *,
    caller: str,
    differs: Callable[[RestBatch], bool],
    rest: Rest | None = None,
) -> Asked:
    """A creation out of its message, of which all fields count.

    But the profile: that one is not named and the default, or two of one account, are the same.
    """
    meant = deepcopy(request)
    meant.ClearField("provider")
    meant.ClearField("request_id")
    if isinstance(meant, pb.RetryBatchRequest):
        meant.scope = meant.scope or pb.RETRY_SCOPE_UNSUCCESSFUL
    else:
        # Both forms are one at Azure OpenAI, and the empty window is the default.
        meant.endpoint = meant.endpoint.removeprefix("/v1")
        meant.completion_window = meant.completion_window or DEFAULT_WINDOW
    if isinstance(meant, pb.SubmitBatchMetadata):
        # A repeat that names its file anew, by the time or by a count, asks for the same batch.
        meant.ClearField("filename")
    said = meant.SerializeToString(deterministic=True)
    kind = meant.DESCRIPTOR.name.encode()
    return Asked(
        request_id=request.request_id,
        key=request_key(request.request_id, caller=caller),
        opening=hashlib.sha256(kind + b"\0" + said).digest(),
        differs=differs,
        rest=rest,
    )


def other_batch(*, endpoint: str, input_file_id: str = "") -> Callable[[RestBatch], bool]:
    """Tells whether a batch is another one than that which is asked for, as far as one can see.

    What a provider leaves out is not compared, and Azure OpenAI may drop the endpoint's `/v1`.
    """

    def differs(batch: RestBatch) -> bool:
        wanted = (
            (endpoint.removeprefix("/v1"), batch.endpoint.removeprefix("/v1")),
            (input_file_id, batch.input_file_id),
        )
        return any(mine and there and mine != there for mine, there in wanted)

    return differs


def digest_of(batch: RestBatch, key: str) -> str | None:
    """The digest that a batch keeps of what was asked for; "" without one, None under another key."""
    return digest_under(batch.metadata.get(REQUEST_ID_KEY, ""), key)
