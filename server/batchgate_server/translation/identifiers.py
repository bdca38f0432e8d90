"""Ids, names and words from callers, checked before anything is done with them; see `outside`."""

from batchgate_server.errors import InvalidField
from batchgate_server.outside import ID, MEDIA_TYPE, WORD

MAX_FILENAME_BYTES = 512


def checked_id(field: str, value: str) -> str:
    """`value` if it can be a provider's id; it then needs no quoting in a URL."""
    if not value:
        raise InvalidField(field, "is required")
    if not ID.fullmatch(value):
        raise InvalidField(
            field,
            "must be a provider's id: a letter or digit, then at most 511 letters, digits "
            "or any of - _ . : = ~",
        )
    return value


def checked_word(field: str, value: str) -> str:
    """`value` if it is a word of an open vocabulary, such as a purpose or an endpoint."""
    if not value:
        raise InvalidField(field, "is required")
    if not WORD.fullmatch(value):
        raise InvalidField(field, "must be at most 256 printable ASCII characters without spaces")
    return value


def checked_endpoint(field: str, value: str) -> str:
    """`value` if it is a path, as every endpoint is."""
    if not checked_word(field, value).startswith("/"):
        raise InvalidField(field, "must be a path, such as /v1/chat/completions")
    return value


def checked_filename(field: str, value: str) -> str:
    """`value` if it can be a file's name."""
    if not value:
        raise InvalidField(field, "is required, such as requests.jsonl")
    if len(value.encode()) > MAX_FILENAME_BYTES:
        raise InvalidField(field, f"must be at most {MAX_FILENAME_BYTES} bytes long")
    return value


def checked_media_type(field: str, value: str) -> str:
    """`value` if it is a media type."""
    if not MEDIA_TYPE.fullmatch(value):
        raise InvalidField(field, "must be a media type such as application/jsonl")
    return value
