"""OpenAI's own API: statuses, shapes, limits and messages. Azure's editions start from here."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.responses import JSONResponse, Response

from batchgate_sandbox.accounts import Account, StoredFile
from batchgate_sandbox.batch import Problem, StoredBatch
from batchgate_sandbox.credentials import bearer
from batchgate_sandbox.errors import Reason, RefusedError, invalid

HOUR = 3600
DAY = 24 * HOUR
MEGABYTE = 1_000_000
Json = dict[str, Any]
Range = tuple[int, int]

_LONGEST_REQUEST_ID = 512
_TIMES = (
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
)


class OpenAI:
    """The flavour at ``/v1``. One shared object: it holds no state of any account."""

    provider: ClassVar[str] = "openai"
    request_id_header: ClassVar[str] = "x-request-id"

    upload_status: ClassVar[int] = 200
    create_status: ClassVar[int] = 200
    files_start_pending: ClassVar[bool] = False
    content_type_required: ClassVar[bool] = False
    files_are_paged: ClassVar[bool] = True
    unknown_cursor_refused: ClassVar[bool] = True

    purposes: ClassVar[frozenset[str]] = frozenset(
        {"assistants", "batch", "fine-tune", "vision", "user_data", "evals"}
    )
    locked_purposes: ClassVar[frozenset[str]] = frozenset({"assistants", "user_data"})
    endpoints: ClassVar[frozenset[str]] = frozenset(
        {
            "/v1/responses",
            "/v1/chat/completions",
            "/v1/embeddings",
            "/v1/completions",
            "/v1/moderations",
            "/v1/images/generations",
            "/v1/images/edits",
            "/v1/videos",
        }
    )

    max_tasks: ClassVar[int] = 50_000
    max_file_bytes: ClassVar[int] = 512 * MEGABYTE
    max_batch_file_bytes: ClassVar[int] = 200 * MEGABYTE
    batch_size_checked_at_upload: ClassVar[bool] = False
    # Files of purpose "batch", without and with an expiry; None: no quota.
    max_batch_files: ClassVar[tuple[int, int] | None] = None
    # The seconds that expires_after allows; None: the field is unknown here.
    expiry_range: ClassVar[Range | None] = (HOUR, 30 * DAY)
    # How the two members of expires_after may be written in a form.
    expiry_fields: ClassVar[tuple[str, ...]] = ("expires_after[{}]",)
    batch_file_lifetime: ClassVar[int | None] = 30 * DAY
    output_file_lifetime: ClassVar[int | None] = 30 * DAY
    # Whether a completed batch has an error file even if no line failed.
    error_file_always: ClassVar[bool] = False
    unset_id: ClassVar[str | None] = None

    # ------------------------------------------------------------------ credentials

    def credential(self, headers: Mapping[str, str]) -> str:
        """The key that the request carries.

        Raises:
            RefusedError: There is none.
        """
        key = bearer(headers)
        if not key:
            raise RefusedError(
                Reason.UNAUTHORIZED,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        return key

    def wrong_credential(self, key: str, headers: Mapping[str, str]) -> RefusedError:  # noqa: ARG002 - Azure's answer depends on the header
        """The refusal of a key that is not valid."""
        return RefusedError(
            Reason.UNAUTHORIZED,
            f"Incorrect API key provided: {key[:4]}***{key[-3:]}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        )

    def check_request_id(self, given: str) -> None:
        """The caller's own ``X-Client-Request-Id``, which OpenAI is strict about.

        Raises:
            RefusedError: It is not ASCII, or longer than 512 characters.
        """
        if not given.isascii() or len(given) > _LONGEST_REQUEST_ID:
            raise invalid(
                "X-Client-Request-Id must be ASCII, with at most 512 characters.",
                param="X-Client-Request-Id",
            )

    def new_request_id(self) -> str:
        """A request id in the provider's form."""
        return f"req_{secrets.token_hex(16)}"

    # ------------------------------------------------------------------ refusals

    def refusal(self, refusal: RefusedError) -> Response:
        """The answer that tells why."""
        error = {
            "message": refusal.message,
            "type": "invalid_request_error",
            "param": refusal.param,
            "code": refusal.code,
        }
        return JSONResponse({"error": error, **refusal.extra}, refusal.reason.status)

    def no_such_path(self, method: str, path: str) -> RefusedError:
        """No operation has this path."""
        return RefusedError(Reason.WRONG_PATH, f"Invalid URL ({method} {path})")

    def no_such_file(self, file_id: str) -> RefusedError:
        """The file is not, or no longer, there."""
        return RefusedError(Reason.NOT_FOUND, f"No such File object: {file_id}", param="id")

    def no_such_batch(self, batch_id: str) -> RefusedError:
        """There is no such batch."""
        return RefusedError(Reason.NOT_FOUND, f"No batch found with id '{batch_id}'.")

    def no_such_input(self, file_id: str) -> RefusedError:
        """A batch was asked for with a file that is not there."""
        return invalid(f"Invalid input file ID: {file_id}", param="input_file_id")

    def check_upload_name(self, purpose: str, filename: str) -> None:
        """OpenAI looks at the name's ending, and at nothing else, when a batch file comes in.

        Raises:
            RefusedError: The name does not end in ``.jsonl``.
        """
        if purpose == "batch" and not filename.endswith(".jsonl"):
            message = "Invalid file format for Batch API. Must be .jsonl"
            raise RefusedError(
                Reason.INVALID, message, extra={"detail": {"message": message, "code": None}}
            )

    # ------------------------------------------------------------------ shapes

    def file(self, file: StoredFile, account: Account) -> Json:
        """A file object."""
        return {
            "object": "file",
            "id": file.id,
            "purpose": file.purpose,
            "filename": file.filename,
            "bytes": file.size,
            "created_at": int(file.created_at),
            "expires_at": None if file.expires_at is None else int(file.expires_at),
            "status": self.file_status(file, account),
            "status_details": None,
        }

    def file_status(self, file: StoredFile, account: Account) -> str:
        """``processed``, or ``pending`` where processing takes a moment."""
        return "processed" if account.now() >= file.processed_at else "pending"

    def deleted(self, file_id: str) -> Response:
        """The answer to a deletion."""
        return JSONResponse({"object": "file", "id": file_id, "deleted": True})

    def listing(self, data: Sequence[Json], *, has_more: bool) -> Json:
        """A page."""
        return {
            "object": "list",
            "data": list(data),
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": has_more,
        }

    def file_listing(self, data: Sequence[Json], *, has_more: bool) -> Json:
        """A page of files."""
        return self.listing(data, has_more=has_more)

    def batch(self, batch: StoredBatch) -> Json:
        """A batch object."""
        shape: Json = {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.endpoint,
            "errors": self.problems(batch.problems),
            "input_file_id": batch.input_file_id,
            "completion_window": batch.completion_window,
            "status": batch.status,
            "output_file_id": batch.output_file_id or self.unset_id,
            "error_file_id": batch.error_file_id or self.unset_id,
            "created_at": int(batch.created_at),
            "expires_at": int(batch.expires_at),
            **{f"{name}_at": batch.times.get(name) for name in _TIMES},
            "request_counts": {
                "total": batch.total,
                "completed": batch.completed,
                "failed": batch.failed,
            },
            "metadata": batch.metadata,
        }
        return shape | self.consumption(batch)

    def creation_headers(self, account: Account) -> dict[str, str]:  # noqa: ARG002 - Azure counts
        """What the answer to a new batch says beside its body."""
        return {}

    def consumption(self, batch: StoredBatch) -> Json:
        """The batch's ``model`` and ``usage``."""
        usage = batch.usage
        return {
            "model": batch.model,
            "usage": {
                "input_tokens": usage.input_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.input_tokens + usage.output_tokens,
            },
        }

    def problems(self, problems: Sequence[Problem]) -> Json | None:
        """The ``errors`` of a batch."""
        if not problems:
            return None
        return {"object": "list", "data": [self.problem(one) for one in problems]}

    def problem(self, problem: Problem) -> Json:
        """One of a batch's ``errors.data``."""
        return {
            "code": problem.code,
            "message": problem.message,
            "param": problem.param,
            "line": problem.line,
        }

    # ------------------------------------------------------------------ lines

    def same_url(self, url: str, endpoint: str) -> bool:
        """Whether a line's ``url`` fits the batch's endpoint."""
        return url == endpoint

    def model_required(self, url: str, body: Json) -> bool:
        """Whether a body must name a model: other endpoints, and stored prompts, have their own."""
        if url == "/v1/responses":
            return not isinstance(body.get("prompt"), dict)
        return url in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")

    def byte_order_mark(self) -> Problem:
        """What a file that begins with a byte order mark fails with."""
        return Problem("invalid_json_line", "This line is not parseable as valid JSON.", line=1)

    def answered_line(self, custom_id: str, status: int, body: Json) -> Json:
        """A line of the output or the error file, for a request that got an HTTP answer."""
        return {
            "id": f"batch_req_{secrets.token_hex(12)}",
            "custom_id": custom_id,
            "response": {
                "status_code": status,
                "request_id": secrets.token_hex(16),
                "body": body,
            },
            "error": None,
        }

    def unanswered_line(self, custom_id: str, code: str, message: str) -> Json:
        """A line of the error file, for a request that got no HTTP answer."""
        return {
            "id": f"batch_req_{secrets.token_hex(12)}",
            "custom_id": custom_id,
            "response": None,
            "error": {"code": code, "message": message},
        }

    def failure_body(self, status: int, message: str, code: str) -> Json:
        """The body of a line's HTTP answer of ``status`` 400 or above."""
        kind = "server_error" if status >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP's border
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}
