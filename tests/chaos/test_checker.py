"""The checker sees what must not be: a journal and a provider that do not fit each other."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import MEMORY_MIB, THREADS, Verdict, at_rest, check
from tests.chaos.journal import Attempt, End, Journal, Reading
from tests.chaos.processes import Vitals
from tests.chaos.truth import TrueBatch, TrueFile, Truth

OK = End("OK")
UNKNOWN = End("UNKNOWN", "OUTCOME_UNKNOWN")
DENIED = End("UNAVAILABLE", "PROVIDER_UNREACHABLE")
BROKEN = End("UNAVAILABLE")
SHA = "0a" * 32
Told = Callable[[Journal], Attempt]


def attempt(journal: Journal, kind: str, end: End, **known: object) -> Attempt:
    """A call that is over."""
    fields: dict[str, object] = {"deadline": 5.0, **known}
    batch_id, file_id = str(fields.pop("batch_id", "")), str(fields.pop("file_id", ""))
    begun = journal.begin(kind, **fields)  # type: ignore[arg-type]
    begun.batch_id, begun.file_id = batch_id, file_id
    journal.over(begun, end)
    return begun


def upload(journal: Journal, end: End, **known: object) -> Attempt:
    return attempt(journal, "UploadFile", end, filename="a", size=3, sha256=SHA, **known)


def file(name: str = "a", *, size: int = 3, number: int = 1) -> TrueFile:
    return TrueFile(id=f"file-{number}", filename=name, size=size, sha256=SHA)


def batch(number: int = 1) -> TrueBatch:
    return TrueBatch(
        id=f"batch_{number}", request_id="r", operation=7, input_file_id="", status="completed"
    )


def judged(
    journal: Journal,
    files: list[TrueFile] | None = None,
    batches: list[TrueBatch] | None = None,
    *,
    own: set[str] | None = None,
) -> Verdict:
    statuses = {"UNAVAILABLE"} if own is None else own
    return check(journal, Truth(files or [], batches or []), own_statuses=statuses)


def violated(verdict: Verdict) -> set[str]:
    return {invariant for invariant, _ in verdict.violations}


@pytest.mark.parametrize(
    ("end", "whole", "there", "good"),
    [
        (OK, True, True, True),
        (OK, True, False, False),
        (DENIED, True, False, True),
        (DENIED, True, True, False),
        (UNKNOWN, True, False, True),
        (UNKNOWN, True, True, True),
        (BROKEN, True, True, True),
        (BROKEN, False, False, True),
        (BROKEN, False, True, False),
    ],
)
def test_files_of_uploads(end: End, whole: bool, there: bool, good: bool) -> None:
    journal = Journal()
    upload(journal, end, whole=whole, file_id="file-1" if end.ok else "")
    verdict = judged(journal, [file()] if there else [])
    assert violated(verdict) == (set() if good else {"files"})


@pytest.mark.parametrize(
    "files",
    [
        [file(), file(number=2)],
        [file(size=2)],
        [file(), file("b", number=2)],
    ],
    ids=["twice", "cut short", "nobody's"],
)
def test_files_that_may_not_be(files: list[TrueFile]) -> None:
    journal = Journal()
    upload(journal, OK, file_id="file-1")
    assert violated(judged(journal, files)) == {"files"}


def test_a_deleted_file_may_be_gone_or_not() -> None:
    journal = Journal()
    upload(journal, OK, file_id="file-1")
    journal.deleted.add("file-1")
    assert not judged(journal).violations
    assert not judged(journal, [file()]).violations


@pytest.mark.parametrize("message", ["", "the uploaded file file-1 could not be deleted"])
def test_a_file_that_a_failed_submit_left_behind_is_named(message: str) -> None:
    journal = Journal()
    end = replace(DENIED, message=message)
    attempt(journal, "SubmitBatch", end, filename="a", operation=7)
    assert violated(judged(journal, [file()])) == (set() if message else {"files"})


@pytest.mark.parametrize(
    ("ends", "batches", "good"),
    [
        ([OK], [batch()], True),
        ([OK], [], False),
        ([OK], [batch(2)], False),
        ([OK], [batch(), batch(2)], False),
        ([BROKEN, UNKNOWN, OK], [batch()], True),
        ([BROKEN, UNKNOWN], [batch()], True),
        ([BROKEN, UNKNOWN], [batch(), batch(2)], False),
        ([DENIED], [batch()], False),
        ([DENIED], [], True),
    ],
)
def test_batches(ends: list[End], batches: list[TrueBatch], good: bool) -> None:
    journal = Journal()
    for end in ends:
        known = {"operation": 7, "request_id": "r", "batch_id": "batch_1" if end.ok else ""}
        attempt(journal, "CreateBatch", end, **known)
    assert violated(judged(journal, batches=batches)) == (set() if good else {"batches"})


def test_a_batch_that_nobody_asked_for() -> None:
    assert violated(judged(Journal(), batches=[batch()])) == {"batches"}


def test_what_the_provider_has_forgotten_is_not_missed() -> None:
    lives = [1]
    journal = Journal(provider_lives=lambda: lives[0])
    upload(journal, OK, file_id="file-1")
    attempt(journal, "CreateBatch", OK, operation=7, batch_id="batch_1")
    lives[0] = 2
    assert not judged(journal).violations


@pytest.mark.parametrize(
    ("seen", "complete", "partial", "good"),
    [
        ("abc", True, False, True),
        ("ab", True, False, False),
        ("ab", False, False, True),
        ("ab", True, True, True),
        ("abb", False, True, False),
        ("abd", False, True, False),
    ],
)
def test_rows(seen: str, complete: bool, partial: bool, good: bool) -> None:
    journal = Journal()
    reading = Reading("batch_1", Counter("abc"), Counter(seen), complete=complete, partial=partial)
    journal.readings.append(reading)
    assert violated(judged(journal)) == (set() if good else {"rows"})


def test_what_callers_wondered_about() -> None:
    journal = Journal()
    journal.surprises.append("a gap")
    assert violated(judged(journal)) == {"rows"}
    journal = Journal()
    journal.watches.append("BATCH_STATUS_IN_PROGRESS")
    assert violated(judged(journal)) == {"rows"}
    journal = Journal()
    journal.abandoned.append("create")
    assert violated(judged(journal)) == {"recovery"}


@pytest.mark.parametrize(
    ("end", "good"),
    [
        (OK, True),
        (DENIED, True),
        (End("UNAVAILABLE", "OUTCOME_UNKNOWN"), False),
        (End("INTERNAL", "INTERNAL"), False),
        (End("INTERNAL"), False),
        (End("UNKNOWN"), False),
        (End("CANCELLED"), False),
        (End("DEADLINE_EXCEEDED"), False),
    ],
)
def test_statuses(end: End, good: bool) -> None:
    journal = Journal()
    attempt(journal, "GetBatch", end)
    assert violated(judged(journal)) == (set() if good else {"statuses"})


def test_statuses_of_grpcs_own() -> None:
    journal = Journal()
    attempt(journal, "GetBatch", BROKEN)
    assert violated(judged(journal, own=set())) == {"statuses"}
    assert not judged(journal, own={"UNAVAILABLE"}).violations
    journal = Journal()
    attempt(journal, "GetBatch", End("CANCELLED"), cancelled=True)
    attempt(journal, "GetBatch", End("DEADLINE_EXCEEDED"), deadline=0.0)
    assert not judged(journal).violations


def test_calls_that_do_not_end_in_time() -> None:
    journal = Journal()
    attempt(journal, "GetBatch", OK).lasted = 60.0
    assert violated(judged(journal)) == {"in time"}
    journal = Journal()
    journal.begin("GetBatch", deadline=5.0)
    assert "in time" in violated(judged(journal))


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"descriptors": 12, "pooled": 4}, True),
        ({"descriptors": 11}, False),
        ({"callers": 1}, False),
        ({"tasks": 4}, False),
        ({"threads": 11 + THREADS}, False),
        ({"memory": 81 + MEMORY_MIB}, False),
    ],
)
def test_at_rest(change: dict[str, int], good: bool) -> None:
    before = Vitals(memory=80.0, descriptors=10, callers=0, pooled=2, threads=10, tasks=3)
    assert bool(at_rest(before, replace(before, **change))) is not good
