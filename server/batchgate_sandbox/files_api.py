"""The operations on files."""

import os
from collections.abc import AsyncIterator

from starlette.responses import JSONResponse, Response, StreamingResponse

from batchgate_sandbox.accounts import StoredFile
from batchgate_sandbox.call import Call, page_after
from batchgate_sandbox.errors import Reason, RefusedError, invalid
from batchgate_sandbox.expiry import lifetime_from_form
from batchgate_sandbox.recorder import STATE
from batchgate_sandbox.uploads import Upload

_MOST_LISTED = 10_000
_PIECE = 256 * 1024


async def create_file(call: Call) -> Response:
    """``POST /files``."""
    with Upload(call.account.directory, lambda upload: _limit(call, upload)) as upload:
        try:
            content_type = call.request.headers.get("content-type", "")
            await upload.read(content_type, call.request.stream())
        finally:
            record = call.request.scope["state"][STATE]
            record.parts = [part.seen() for part in upload.parts]
        stored = _accept(call, upload)
    headers = {}
    if call.flavour.upload_status == 201:  # noqa: PLR2004 - "created" comes with its place
        request = call.request
        headers["location"] = str(request.url.replace(path=f"{request.url.path}/{stored.id}"))
    return JSONResponse(
        call.flavour.file(stored, call.account), call.flavour.upload_status, headers
    )


def _limit(call: Call, upload: Upload) -> int:
    flavour, settings = call.flavour, call.account.settings
    limit = settings.max_file_bytes or flavour.max_file_bytes
    if flavour.batch_size_checked_at_upload and upload.fields.get("purpose") == "batch":
        limit = min(limit, settings.max_batch_file_bytes or flavour.max_batch_file_bytes)
    return limit


def _accept(call: Call, upload: Upload) -> StoredFile:
    """Check the whole form and make the file a file of the account."""
    flavour, account = call.flavour, call.account
    part, path = upload.file, upload.path
    if part is None or path is None or part.filename is None:
        raise invalid("Missing required parameter: 'file'.", param="file")
    if flavour.content_type_required and not part.content_type.strip():
        raise invalid("The file has no or an empty content type specified.")
    purpose = upload.fields.get("purpose")
    if not purpose:
        raise invalid("Missing required parameter: 'purpose'.", param="purpose")
    if purpose not in flavour.purposes:
        allowed = ", ".join(f"'{one}'" for one in sorted(flavour.purposes))
        raise invalid(f"'{purpose}' is not one of [{allowed}] - 'purpose'", param="purpose")
    if part.size > _limit(call, upload):  # the purpose may have come after the file
        raise RefusedError(Reason.TOO_LARGE, "The file is too large for its purpose.", param="file")
    flavour.check_upload_name(purpose, part.filename)
    lifetime = lifetime_from_form(upload.fields, flavour)
    if purpose == "batch":
        _check_quota(call, expiring=lifetime is not None)
        lifetime = flavour.batch_file_lifetime if lifetime is None else lifetime
    return account.add_file(
        path,
        filename=part.filename,
        purpose=purpose,
        lifetime=lifetime,
        pending=flavour.files_start_pending,
    )


def _check_quota(call: Call, *, expiring: bool) -> None:
    quota = call.flavour.max_batch_files
    if quota is None:
        return
    most = quota[1] if expiring else (call.account.settings.max_batch_files or quota[0])
    files = call.account.batch_files()
    if sum((one.expires_at is not None) is expiring for one in files) >= most:
        kind = "with" if expiring else "without"
        message = f"The resource has reached its limit of {most} batch files {kind} an expiry."
        raise RefusedError(Reason.QUOTA, message)


async def list_files(call: Call) -> Response:
    """``GET /files``."""
    flavour, purpose = call.flavour, call.query("purpose")
    files = [
        one for one in call.account.newest_files() if purpose is None or one.purpose == purpose
    ]
    if not flavour.files_are_paged:
        shapes = [flavour.file(one, call.account) for one in files]
        return JSONResponse(flavour.file_listing(shapes, has_more=False))
    order, after = call.query("order"), call.query("after")
    if order not in (None, "asc", "desc"):
        raise invalid("Invalid 'order': must be 'asc' or 'desc'.", param="order")
    if order == "asc":
        files.reverse()
    unknown = flavour.no_such_file(after or "") if flavour.unknown_cursor_refused else None
    page, more = page_after(
        files,
        [one.id for one in files],
        after=after,
        limit=call.limit(default=_MOST_LISTED, most=_MOST_LISTED),
        unknown=unknown,
    )
    shapes = [flavour.file(one, call.account) for one in page]
    return JSONResponse(flavour.file_listing(shapes, has_more=more))


async def get_file(call: Call) -> Response:
    """``GET /files/{id}``."""
    return JSONResponse(call.flavour.file(_found(call), call.account))


async def delete_file(call: Call) -> Response:
    """``DELETE /files/{id}``."""
    file = _found(call)
    call.account.remove_file(file.id)
    return call.flavour.deleted(file.id)


async def get_content(call: Call) -> Response:
    """``GET /files/{id}/content``: always the whole; neither provider documents ranges."""
    file = _found(call)
    if file.purpose in call.flavour.locked_purposes:
        raise invalid(f"Not allowed to download files of purpose: {file.purpose}")
    # Opened here, so that a deletion meanwhile does not cut the download off.
    descriptor = os.open(file.path, os.O_RDONLY)
    return StreamingResponse(
        _pieces(descriptor),
        media_type="application/octet-stream",
        headers={"content-length": str(file.size)},
    )


async def _pieces(descriptor: int) -> AsyncIterator[bytes]:
    # No file object: where a caller goes away this may end as late as the collector finds it, and
    # a file that is collected open is warned of.
    try:
        while piece := os.read(descriptor, _PIECE):
            yield piece
    finally:
        os.close(descriptor)


def _found(call: Call) -> StoredFile:
    file_id = call.path("file_id")
    file = call.account.find_file(file_id)
    if file is None:
        raise call.flavour.no_such_file(file_id)
    return file
