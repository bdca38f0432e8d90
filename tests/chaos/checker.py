"""The one checker of the invariants: what callers were told, held against what the provider holds.

=============  ===================================================================================
invariant      what holds, whatever breaks
=============  ===================================================================================
``batches``    An operation has at most one batch, with a request_id however often it was repeated;
               exactly the one that callers were told of if any call went well; none if every call
               failed with the gateway's word that nothing was done.
``files``      A file is whole, byte for byte. One whose upload went well is there. One whose upload
               failed by the gateway's word is not, but for OUTCOME_UNKNOWN. Where the gateway's word
               was lost there is at most one, and only if the caller had handed over all of it. The
               file of a SubmitBatch or RetryBatch that failed is deleted, or named in the error.
``rows``       Results and downloads that were read to the end, through any number of breaks, have
               each row once and each byte in its place; none was seen twice on the way.
``statuses``   Each call ended with a status of the contract's table, or with gRPC's own: UNAVAILABLE
               where the connection broke, CANCELLED where the caller cancelled or the gateway's
               process was just ending, DEADLINE_EXCEEDED where its time was over.
``in time``    No call lasted longer than its deadline.
``recovery``   What is safe to repeat went well soon after the last fault.
``at rest``    When all callers have gone, the gateway has the descriptors, connections, threads,
               tasks and nearly the memory that it had before.
=============  ===================================================================================

A call whose provider has forgotten everything meanwhile is held to the last four alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from batchgate_server import errors
from tests.chaos.journal import Attempt, Journal
from tests.chaos.processes import Vitals
from tests.chaos.truth import TrueBatch, TrueFile, Truth

INVARIANTS = ("batches", "files", "rows", "statuses", "in time", "recovery", "at rest")
# How much longer than its deadline a call may seem to last on a busy machine, in seconds.
LATENESS_SECONDS = 5.0
# What an idle gateway may hold more than before the first call.
MEMORY_MIB = 48.0
# gRPC keeps some for a while.
THREADS = 16
ENDS_OF_WATCHES = {"BATCH_STATUS_COMPLETED", "BATCH_STATUS_CANCELLED"}


def _kinds(base: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for kind in base.__subclasses__():
        yield from _kinds(kind)
        if "reason" in vars(kind):
            yield kind


# A defect of the gateway has a status of the table too, and is none that may be seen.
TABLE = {(kind.code.name, kind.reason) for kind in _kinds(errors.GatewayError)} - {
    ("INTERNAL", "INTERNAL")
}


@dataclass
class Verdict:
    """What was looked at, how often, and what did not hold."""

    looked_at: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)

    def look(self, invariant: str, *, holds: bool, or_else: str) -> None:
        """Count one look, and note it if it does not hold."""
        self.looked_at[invariant] += 1
        if not holds:
            self.violations.append((invariant, or_else))

    def __str__(self) -> str:
        return "\n".join(f"{invariant}: {what}" for invariant, what in self.violations)


def check(journal: Journal, truth: Truth, *, own_statuses: AbstractSet[str]) -> Verdict:
    """Look at all but the gateway itself.

    `own_statuses` are those that gRPC itself may have told, beside what callers brought about.
    """
    verdict = Verdict()
    _check_batches(verdict, journal, truth)
    _check_files(verdict, journal, truth)
    _check_rows(verdict, journal)
    for attempt in journal.attempts:
        _check_end(verdict, attempt, own_statuses=own_statuses)
    for told in journal.abandoned:
        verdict.violations.append(("recovery", told))
    verdict.looked_at["recovery"] += len(journal.readings) + len(journal.watches)
    return verdict


def _check_batches(verdict: Verdict, journal: Journal, truth: Truth) -> None:
    by_operation: dict[int, list[TrueBatch]] = defaultdict(list)
    for batch in truth.batches:
        by_operation[batch.operation].append(batch)
    operations: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in journal.attempts:
        if attempt.operation:
            operations[attempt.operation].append(attempt)
    for operation, calls in operations.items():
        ids = [batch.id for batch in by_operation.pop(operation, [])]
        if _forgotten(calls, journal):
            continue
        told = {call.batch_id for call in calls if call.end.ok}
        ends = ", ".join(map(described, calls))
        holds = (
            len(ids) <= 1
            and told <= set(ids)
            and (not ids or bool(told) or not all(call.end.settled for call in calls))
        )
        verdict.look(
            "batches",
            holds=holds,
            or_else=f"operation {operation} ({ends}) was told {told} and has {ids}",
        )
    for others in by_operation.values():
        verdict.look("batches", holds=False, or_else=f"nobody asked for {others}")


def _forgotten(calls: list[Attempt], journal: Journal) -> bool:
    """Whether the provider may have forgotten what came of these calls."""
    life = journal.provider_lives()
    return any(call.life != life for call in calls)


def _check_files(verdict: Verdict, journal: Journal, truth: Truth) -> None:
    deleted = journal.deleted
    by_name: dict[str, list[TrueFile]] = defaultdict(list)
    for file in truth.files:
        by_name[file.filename].append(file)
    calls_by_name: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in journal.attempts:
        if attempt.filename:
            calls_by_name[attempt.filename].append(attempt)
    for name, calls in calls_by_name.items():
        files = by_name.pop(name, [])
        if _forgotten(calls, journal):
            continue
        ids = {file.id for file in files}
        promised = {call.file_id for call in calls if call.end.ok and call.file_id} - deleted
        ends = ", ".join(map(described, calls))
        unsettled = sum(call.whole and not call.end.settled for call in calls)
        others = {
            one
            for one in ids - promised - deleted
            if not any(one in call.end.message for call in calls)
        }
        verdict.look(
            "files",
            holds=promised <= ids and len(others) <= unsettled,
            or_else=f"{name}: {ends}; promised {promised}, there are {ids}",
        )
        wanted = {(call.size, call.sha256) for call in calls if call.sha256}
        for file in files:
            verdict.look(
                "files",
                holds=not wanted or (file.size, file.sha256) in wanted,
                or_else=f"{name} ({ends}) has {file.size} bytes, wanted {wanted}",
            )
    for name, files in by_name.items():
        verdict.look("files", holds=False, or_else=f"nobody's file: {name}, {files}")


def _check_rows(verdict: Verdict, journal: Journal) -> None:
    for reading in journal.readings:
        missing, added = reading.expected - reading.seen, reading.seen - reading.expected
        may_lack = reading.partial or not reading.complete
        verdict.looked_at["rows"] += reading.seen.total()
        if added or (missing and not may_lack):
            text = f"{reading.what}: missing {missing}, not expected {added}"
            verdict.violations.append(("rows", f"{text[:500]}, after {reading.breaks} breaks"))
    for told in journal.surprises:
        verdict.violations.append(("rows", told))
    for status in journal.watches:
        verdict.look(
            "rows",
            holds=status in ENDS_OF_WATCHES,
            or_else=f"a watch ended with OK at {status}",
        )


def _check_end(verdict: Verdict, attempt: Attempt, *, own_statuses: AbstractSet[str]) -> None:
    end = attempt.end
    late = attempt.lasted > attempt.deadline + LATENESS_SECONDS
    verdict.look(
        "in time",
        holds=not late and end.code != "NONE",
        or_else=f"{described(attempt)} after {attempt.lasted:.1f} s of {attempt.deadline:.0f}",
    )
    own = {
        *own_statuses,
        *(["CANCELLED"] if attempt.cancelled else []),
        *(["DEADLINE_EXCEEDED"] if attempt.lasted > attempt.deadline - 0.5 else []),
    }
    holds = end.ok or ((end.code, end.reason) in TABLE if end.reason else end.code in own)
    verdict.look("statuses", holds=holds, or_else=f"{described(attempt)}: {end.message}")


def described(attempt: Attempt) -> str:
    """A call in some words."""
    whole = "" if attempt.whole else ", not whole"
    return f"{attempt.kind} {attempt.request_id_of_call}: {attempt.end}{whole}"


def at_rest(before: Vitals, now: Vitals) -> list[str]:
    """What the gateway holds that it did not hold before its first call, pooled connections aside."""
    more = {
        "descriptors": now.descriptors - now.pooled - before.descriptors + before.pooled,
        "connections of callers": now.callers - before.callers,
        "tasks": now.tasks - before.tasks,
    }
    found = [f"{count} more {what}" for what, count in more.items() if count > 0]
    if now.threads > before.threads + THREADS:
        found.append(f"{now.threads} threads, before {before.threads}")
    if now.memory > before.memory + MEMORY_MIB:
        found.append(f"{now.memory:.0f} MiB of memory, before {before.memory:.0f}")
    return found
