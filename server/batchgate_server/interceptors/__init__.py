"""What happens around every RPC, one concern a file; `chain` puts them in order."""

from batchgate_server.audit import AuditLog
from batchgate_server.interceptors.access_log import access_log
from batchgate_server.interceptors.auditing import Auditing
from batchgate_server.interceptors.chain import ChainInterceptor
from batchgate_server.interceptors.draining import Draining
from batchgate_server.interceptors.error_status import error_status


def chain(draining: Draining, audit: AuditLog) -> ChainInterceptor:
    """The concerns from the outermost to the innermost."""
    return ChainInterceptor(
        [
            error_status,  # outermost: whatever is raised further in goes on the wire as a status
            access_log,  # sees every error as it was raised, refusals included
            Auditing(audit),  # sees the refusals of those further in, and refuses before they begin
            draining,  # innermost: refuses new calls, and counts those that have begun
        ]
    )
