"""What each RPC needs: the one table that names them all."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchgate_server.callers.allowance import Kind
from batchgate_server.callers.caller import Caller, Operation
from batchgate_server.errors import CallerNotPermitted

READ_FILES, WRITE_FILES = Operation.FILES_READ, Operation.FILES_WRITE
READ_BATCHES, CREATE_BATCHES = Operation.BATCHES_READ, Operation.BATCHES_CREATE


@dataclass(frozen=True, slots=True)
class Rule:
    """What a caller has to be allowed for an RPC, and what it counts as."""

    needs: frozenset[Operation]
    kind: Kind = Kind.CALL


def _rule(*needs: Operation, kind: Kind = Kind.CALL) -> Rule:
    return Rule(frozenset(needs), kind)


FILES, BATCHES = "/batchgate.v1.FileService/", "/batchgate.v1.BatchService/"
RULES: Mapping[str, Rule] = {
    f"{FILES}UploadFile": _rule(WRITE_FILES, kind=Kind.UPLOAD),
    f"{FILES}GetFile": _rule(READ_FILES),
    f"{FILES}ListFiles": _rule(READ_FILES),
    f"{FILES}DeleteFile": _rule(Operation.FILES_DELETE),
    f"{FILES}DownloadFile": _rule(READ_FILES),
    f"{BATCHES}CreateBatch": _rule(CREATE_BATCHES),
    f"{BATCHES}GetBatch": _rule(READ_BATCHES),
    f"{BATCHES}ListBatches": _rule(READ_BATCHES),
    f"{BATCHES}CancelBatch": _rule(Operation.BATCHES_CANCEL),
    f"{BATCHES}WatchBatch": _rule(READ_BATCHES, kind=Kind.WATCH),
    f"{BATCHES}WaitBatch": _rule(READ_BATCHES, kind=Kind.WATCH),
    f"{BATCHES}SubmitBatch": _rule(WRITE_FILES, CREATE_BATCHES, kind=Kind.UPLOAD),
    # It may wait for hours before there are results.
    f"{BATCHES}StreamBatchResults": _rule(READ_BATCHES, READ_FILES, kind=Kind.WATCH),
    # It reads results and lines, and writes those that it keeps.
    f"{BATCHES}RetryBatch": _rule(
        READ_BATCHES, CREATE_BATCHES, READ_FILES, WRITE_FILES, kind=Kind.UPLOAD
    ),
    "/batchgate.v1.ProviderService/ListProviders": _rule(),
}


def rule_for(method: str, caller: Caller) -> Rule:
    """The rule of an RPC, if the caller may use it.

    Raises:
        CallerNotPermitted: it may not, or nobody may, since the RPC is not in the table.
    """
    rule = RULES.get(method)
    if rule is None:
        raise CallerNotPermitted(f"nobody may call {method}: it is not in the table of permissions")
    if missing := rule.needs - caller.allow:
        raise CallerNotPermitted(
            f"{caller.name} may not do this: it needs {', '.join(sorted(missing))}"
        )
    return rule
