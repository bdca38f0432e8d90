"""What happens around every RPC, one concern a file; `chain` puts them in order."""

from batchgate_server.interceptors.access_log import access_log
from batchgate_server.interceptors.admission import Admission
from batchgate_server.interceptors.auditing import Auditing
from batchgate_server.interceptors.authentication import Authentication
from batchgate_server.interceptors.chain import ChainInterceptor
from batchgate_server.interceptors.draining import Draining
from batchgate_server.interceptors.error_status import error_status
from batchgate_server.interceptors.limiting import Limiting
from batchgate_server.interceptors.measuring import Measuring
from batchgate_server.interceptors.overdue import Overdue
from batchgate_server.interceptors.permission import permission
from batchgate_server.interceptors.provider_key import provider_key


def chain(
    *,
    admission: Admission,
    auditing: Auditing,
    authentication: Authentication,
    limiting: Limiting,
    overdue: Overdue,
    draining: Draining,
    measuring: Measuring | None = None,
) -> ChainInterceptor:
    """The concerns from the outermost to the innermost."""
    return ChainInterceptor(
        [
            error_status,  # outermost: whatever is raised further in goes on the wire as a status
            access_log,  # sees every error as it was raised, refusals included
            *([measuring] if measuring else []),  # sees what the log tells
            auditing,  # sees all refusals, and refuses before anything is begun
            authentication,  # before all that depends on who calls
            permission,  # before limits: what is not allowed uses nothing up
            limiting,  # refuses what is too much before it holds anything
            overdue,  # after permission, which knows what is a watch
            provider_key,  # before anything asks for the provider
            draining,  # innermost: refuses new calls, and counts those that have begun
        ],
        entrance=admission,
        who=authentication.who,
    )
