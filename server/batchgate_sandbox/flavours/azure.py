"""Azure OpenAI's three editions: only what differs from OpenAI, each from the one before."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.responses import JSONResponse, Response

from batchgate_sandbox.accounts import Account, StoredFile
from batchgate_sandbox.batch import TERMINAL, Problem, StoredBatch
from batchgate_sandbox.credentials import key_of
from batchgate_sandbox.errors import Reason, RefusedError, invalid
from batchgate_sandbox.flavours.openai import DAY, Json, OpenAI, Range

_CODES = {
    Reason.INVALID: "invalidPayload",
    Reason.QUOTA: "quotaExceeded",
    Reason.UNAUTHORIZED: "401",
    Reason.NOT_FOUND: "notFound",
    Reason.WRONG_PATH: "404",
    Reason.WRONG_METHOD: "405",
    Reason.CONFLICT: "conflict",
    Reason.TOO_LARGE: "invalidPayload",
}
# Answered by the gateway in front of the service, in its own shape in every edition.
_IN_FRONT = frozenset({Reason.UNAUTHORIZED, Reason.WRONG_PATH, Reason.WRONG_METHOD})
_MOST_ENQUEUED = 200_000_000

_FILTERED = {
    category: {"filtered": False, "severity": "safe"}
    for category in ("hate", "self_harm", "sexual", "violence")
}


class Azure2024(OpenAI):
    """``/openai?api-version=2024-10-21``, the newest generally available dated edition."""

    provider: ClassVar[str] = "azure"
    request_id_header: ClassVar[str] = "apim-request-id"

    upload_status: ClassVar[int] = 201
    files_start_pending: ClassVar[bool] = True
    content_type_required: ClassVar[bool] = True
    files_are_paged: ClassVar[bool] = False
    unknown_cursor_refused: ClassVar[bool] = False

    purposes: ClassVar[frozenset[str]] = frozenset(
        {"assistants", "assistants_output", "batch", "fine-tune", "fine-tune-results"}
    )
    locked_purposes: ClassVar[frozenset[str]] = frozenset()
    endpoints: ClassVar[frozenset[str]] = frozenset(
        prefix + path
        for prefix in ("", "/v1")
        for path in ("/chat/completions", "/responses", "/embeddings", "/completions")
    )

    max_tasks: ClassVar[int] = 100_000
    batch_size_checked_at_upload: ClassVar[bool] = True
    max_batch_files: ClassVar[tuple[int, int] | None] = (500, 10_000)
    expiry_range: ClassVar[Range | None] = None
    expiry_fields: ClassVar[tuple[str, ...]] = ("expires_after.{}", "expires_after[{}]")
    batch_file_lifetime: ClassVar[int | None] = None
    output_file_lifetime: ClassVar[int | None] = None
    error_file_always: ClassVar[bool] = True
    unset_id: ClassVar[str | None] = ""

    def credential(self, headers: Mapping[str, str]) -> str:
        """The ``api-key``, else the bearer token."""
        key = key_of(headers)
        if not key:
            raise self.wrong_credential("", headers)
        return key

    def wrong_credential(self, key: str, headers: Mapping[str, str]) -> RefusedError:  # noqa: ARG002 - OpenAI's answer shows the key
        """Two shapes: one for a key, another (told by ``extra``) for a token."""
        if "api-key" in headers:
            return RefusedError(
                Reason.UNAUTHORIZED,
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure "
                "to provide a valid key for an active subscription and use a correct regional "
                "API endpoint for your resource.",
            )
        message = (
            "Unauthorized. Access token is missing, invalid, audience is incorrect "
            "(https://cognitiveservices.azure.com), or have expired."
        )
        return RefusedError(
            Reason.UNAUTHORIZED, message, extra={"statusCode": 401, "message": message}
        )

    def check_request_id(self, given: str) -> None:
        """Azure does not know the header."""

    def new_request_id(self) -> str:
        """A GUID."""
        return str(uuid.uuid4())

    def refusal(self, refusal: RefusedError) -> Response:
        """``{"error":{"code","message"}}``; a refused token has a shape of its own."""
        status = refusal.reason.status
        if "statusCode" in refusal.extra:
            return JSONResponse(refusal.extra, status)
        error: Json = {
            "code": refusal.code_or(_CODES[refusal.reason]),
            "message": refusal.message,
        }
        return JSONResponse({"error": error}, status)

    def no_such_path(self, method: str, path: str) -> RefusedError:  # noqa: ARG002 - OpenAI names them
        """What the gateway in front says to a wrong path or version."""
        return RefusedError(Reason.WRONG_PATH, "Resource not found")

    def no_such_file(self, file_id: str) -> RefusedError:  # noqa: ARG002 - Azure does not name it
        """The file is not, or no longer, there."""
        return RefusedError(Reason.NOT_FOUND, "File not found.")

    def no_such_batch(self, batch_id: str) -> RefusedError:
        """There is no such batch."""
        return RefusedError(Reason.NOT_FOUND, f"Batch with id '{batch_id}' not found.")

    def no_such_input(self, file_id: str) -> RefusedError:
        """A batch was asked for with a file that is not there."""
        return invalid(f"The input file '{file_id}' was not found.", param="input_file_id")

    def check_upload_name(self, purpose: str, filename: str) -> None:
        """Azure takes any name."""

    def file(self, file: StoredFile, account: Account) -> Json:
        """A file object, without expiry and details."""
        shape = super().file(file, account)
        del shape["expires_at"], shape["status_details"]
        return shape

    def deleted(self, file_id: str) -> Response:  # noqa: ARG002 - nothing is said about the file
        """Documented as 200 with an object; dated editions were seen to answer without a body."""
        return Response(status_code=204)

    def file_listing(self, data: Sequence[Json], *, has_more: bool) -> Json:  # noqa: ARG002 - no paging
        """All files at once, in the bare envelope."""
        return {"object": "list", "data": list(data)}

    def listing(self, data: Sequence[Json], *, has_more: bool) -> Json:
        """A page; ids are left out where there is nothing to name."""
        shape = super().listing(data, has_more=has_more)
        return {name: value for name, value in shape.items() if value is not None}

    def consumption(self, batch: StoredBatch) -> Json:  # noqa: ARG002 - not told
        """Dated editions tell neither model nor usage."""
        return {}

    def problem(self, problem: Problem) -> Json:
        """One of a batch's ``errors.data``; ``line`` is a string in dated editions."""
        shape = super().problem(problem)
        shape["line"] = None if problem.line is None else str(problem.line)
        return shape

    def same_url(self, url: str, endpoint: str) -> bool:
        """With or without ``/v1``: Microsoft's own pages write both."""
        return url.removeprefix("/v1") == endpoint.removeprefix("/v1")

    def model_required(self, url: str, body: Json) -> bool:  # noqa: ARG002 - OpenAI's depends
        """Every line names its deployment."""
        return True

    def byte_order_mark(self) -> Problem:
        """Azure's misleading words for a byte order mark."""
        return Problem(
            "invalid_request",
            "A valid model deployment name couldn't be extracted from the input file.",
            line=1,
        )

    def answered_line(self, custom_id: str, status: int, body: Json) -> Json:
        """Without a top-level ``id``, and with the verdicts of the content filter."""
        if "choices" in body:
            choices = [{**one, "content_filter_results": _FILTERED} for one in body["choices"]]
            verdict = {"prompt_index": 0, "content_filter_results": _FILTERED}
            body = {**body, "choices": choices, "prompt_filter_results": [verdict]}
        return {
            "custom_id": custom_id,
            "response": {
                "body": body,
                "request_id": str(uuid.UUID(bytes=secrets.token_bytes(16))),
                "status_code": status,
            },
            "error": None,
        }

    def unanswered_line(self, custom_id: str, code: str, message: str) -> Json:
        """Without a top-level ``id``."""
        shape = super().unanswered_line(custom_id, code, message)
        del shape["id"]
        return shape

    def failure_body(self, status: int, message: str, code: str) -> Json:  # noqa: ARG002 - no type
        """The bare pair of code and message."""
        return {"error": {"code": code, "message": message}}


class Azure2025Preview(Azure2024):
    """``/openai?api-version=2025-04-01-preview``: expiry, paging, a 201 for a new batch."""

    create_status: ClassVar[int] = 201
    files_are_paged: ClassVar[bool] = True
    purposes: ClassVar[frozenset[str]] = Azure2024.purposes | {
        "batch_output",
        "evals",
        "evals_output",
    }
    expiry_range: ClassVar[Range | None] = (14 * DAY, 30 * DAY)

    def file(self, file: StoredFile, account: Account) -> Json:
        """A file object, with its expiry where it has one."""
        shape = super().file(file, account)
        if file.expires_at is not None:
            shape["expires_at"] = int(file.expires_at)
        return shape

    def batch(self, batch: StoredBatch) -> Json:
        """With the places of blobs, which stay empty."""
        return super().batch(batch) | {"input_blob": "", "output_blob": "", "error_blob": ""}

    def creation_headers(self, account: Account) -> dict[str, str]:
        """How full the queue is: here, the lines of batches that have not ended."""
        waiting = (one for one in account.batches.values() if one.status not in TERMINAL)
        return {
            "deployment-enqueued-tokens": str(sum(one.total for one in waiting)),
            "deployment-maximum-enqueued-tokens": str(_MOST_ENQUEUED),
        }


class AzureV1(Azure2025Preview):
    """``/openai/v1``: OpenAI's envelope, Azure's manners."""

    upload_status: ClassVar[int] = 200
    purposes: ClassVar[frozenset[str]] = frozenset({"assistants", "batch", "fine-tune", "evals"})

    def refusal(self, refusal: RefusedError) -> Response:
        """The service's own errors come unwrapped in this edition."""
        if refusal.reason in _IN_FRONT:
            return super().refusal(refusal)
        body: Json = {
            "code": refusal.code_or(_CODES[refusal.reason]),
            "message": refusal.message,
            "param": refusal.param,
            "type": "invalid_request_error",
            "inner_error": {},
        }
        return JSONResponse(body, refusal.reason.status)

    def deleted(self, file_id: str) -> Response:
        """The documented object."""
        return OpenAI.deleted(self, file_id)

    def file_listing(self, data: Sequence[Json], *, has_more: bool) -> Json:
        """The whole envelope."""
        return self.listing(data, has_more=has_more)

    def batch(self, batch: StoredBatch) -> Json:
        """Without blobs."""
        return Azure2024.batch(self, batch)

    def creation_headers(self, account: Account) -> dict[str, str]:
        """None of the dated editions' headers."""
        return OpenAI.creation_headers(self, account)

    def consumption(self, batch: StoredBatch) -> Json:
        """As OpenAI tells it, once the model is known."""
        return OpenAI.consumption(self, batch) if batch.model else {}

    def problem(self, problem: Problem) -> Json:
        """``line`` is a number again."""
        return OpenAI.problem(self, problem)
