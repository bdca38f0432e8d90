"""The operations on batches."""

import secrets
from typing import Any

from starlette.responses import JSONResponse, Response

from batchgate_sandbox.accounts import StoredFile
from batchgate_sandbox.batch import StoredBatch
from batchgate_sandbox.call import Call, page_after
from batchgate_sandbox.errors import Reason, RefusedError, invalid
from batchgate_sandbox.expiry import lifetime_from_json
from batchgate_sandbox.flavours.openai import DAY
from batchgate_sandbox.lifecycle import QUEUE_FULL, BatchRuns

_PAIRS, _KEY, _VALUE = 16, 64, 512
_MOST_LISTED = 100


class BatchesApi:
    """The handlers, which share the batches that are running."""

    def __init__(self, runs: BatchRuns) -> None:
        self._runs = runs

    async def create(self, call: Call) -> Response:
        """``POST /batches``."""
        given = await call.json()
        flavour, account = call.flavour, call.account
        for name in ("input_file_id", "endpoint", "completion_window"):
            if not isinstance(given.get(name), str) or not given[name]:
                raise invalid(f"Missing required parameter: '{name}'.", param=name)
        if given["endpoint"] not in flavour.endpoints:
            allowed = ", ".join(f"'{one}'" for one in sorted(flavour.endpoints))
            message = f"Invalid value: '{given['endpoint']}'. Supported values are: {allowed}."
            raise invalid(message, code="invalid_value", param="endpoint")
        if given["completion_window"] != "24h":
            message = f"Invalid value: '{given['completion_window']}'. Value must be '24h'."
            raise invalid(message, code="invalid_value", param="completion_window")
        metadata = checked_metadata(given.get("metadata"))
        lifetime = lifetime_from_json(
            given.get("output_expires_after"), flavour, "output_expires_after"
        )
        file = _input_file(call, given["input_file_id"])
        now = account.now()
        batch = StoredBatch(
            id=f"batch_{secrets.token_hex(16)}",
            endpoint=given["endpoint"],
            input_file_id=file.id,
            metadata=metadata,
            created_at=now,
            expires_at=now + DAY,
            output_lifetime=lifetime,
        )
        if batch.outcome_wanted() == "token_limit_exceeded" and flavour.provider == "azure":
            raise invalid(QUEUE_FULL, code="token_limit_exceeded")
        account.batches[batch.id] = batch
        self._runs.start(batch, account, flavour, file.path)
        headers = flavour.creation_headers(account)
        return JSONResponse(flavour.batch(batch), flavour.create_status, headers)

    async def list(self, call: Call) -> Response:
        """``GET /batches``: newest first."""
        flavour, after = call.flavour, call.query("after")
        for name in ("$filter", "$orderby"):
            if call.query(name) is not None:
                raise invalid(f"The sandbox does not know {name}.", param=name)
        batches = call.account.newest_batches()
        unknown = flavour.no_such_batch(after or "") if flavour.unknown_cursor_refused else None
        page, more = page_after(
            batches,
            [one.id for one in batches],
            after=after,
            limit=call.limit(default=20, most=_MOST_LISTED),
            unknown=unknown,
        )
        return JSONResponse(flavour.listing([flavour.batch(one) for one in page], has_more=more))

    async def get(self, call: Call) -> Response:
        """``GET /batches/{id}``."""
        return JSONResponse(call.flavour.batch(_found(call)))

    async def cancel(self, call: Call) -> Response:
        """``POST /batches/{id}/cancel``."""
        batch = _found(call)
        if batch.status in ("validating", "in_progress"):
            batch.enter("cancelling", call.account.now())
            batch.cancel_asked.set()
        elif batch.status != "cancelling":
            message = f"Cannot cancel a batch with status '{batch.status}'."
            raise RefusedError(Reason.CONFLICT, message)
        return JSONResponse(call.flavour.batch(batch))


def checked_metadata(given: Any) -> dict[str, str] | None:  # noqa: ANN401 - JSON is any value
    """The metadata, if it keeps the limits: 16 pairs, 64 and 512 characters.

    Raises:
        RefusedError: It does not.
    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid("Invalid type for 'metadata': expected an object.", param="metadata")
    if len(given) > _PAIRS:
        message = f"Invalid 'metadata': too many properties. Expected at most {_PAIRS}."
        raise invalid(message, code="object_above_max_properties", param="metadata")
    for key, value in given.items():
        if len(key) > _KEY:
            message = f"Invalid 'metadata': keys may have at most {_KEY} characters."
            raise invalid(message, code="string_above_max_length", param="metadata")
        if not isinstance(value, str):
            message = f"Invalid type for 'metadata.{key}': expected a string."
            raise invalid(message, code="invalid_type", param=f"metadata.{key}")
        if len(value) > _VALUE:
            message = f"Invalid 'metadata.{key}': string too long, at most {_VALUE} characters."
            raise invalid(message, code="string_above_max_length", param=f"metadata.{key}")
    return given


def _input_file(call: Call, file_id: str) -> StoredFile:
    flavour, account = call.flavour, call.account
    file = account.find_file(file_id)
    if file is None:
        raise flavour.no_such_input(file_id)
    if file.purpose != "batch":
        message = f"Invalid purpose for input file: '{file.purpose}'. Expected 'batch'."
        raise invalid(message, param="input_file_id")
    if flavour.file_status(file, account) != "processed":
        message = f"The input file '{file_id}' is not in a processed state."
        raise invalid(message, param="input_file_id")
    return file


def _found(call: Call) -> StoredBatch:
    batch_id = call.path("batch_id")
    batch = call.account.batches.get(batch_id)
    if batch is None:
        raise call.flavour.no_such_batch(batch_id)
    return batch
