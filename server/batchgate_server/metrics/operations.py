"""The name of what a provider is asked for, by method and path: few, and without ids."""

from batchgate_server.metrics.bounded import OTHER

# What stands behind the id, or else in its place.
_BY_LAST = {"content": "content", "cancel": "cancel"}
_OF_ALL = {"GET": "list", "POST": "create"}
_OF_ONE = {"GET": "get", "DELETE": "delete"}
_COLLECTIONS = frozenset({"files", "batches"})


def operation_of(method: str, path: str) -> str:
    """Such as "files.create", "batches.get" or "files.content"."""
    _, collection, *rest = path.split("/")
    match rest:
        case []:
            verb = _OF_ALL.get(method)
        case [_]:
            verb = _OF_ONE.get(method)
        case [_, last]:
            verb = _BY_LAST.get(last)
        case _:
            verb = None
    return f"{collection}.{verb}" if verb and collection in _COLLECTIONS else OTHER
