"""A batch file on its way, stage by stage; its record says what is done, so that it can go on."""

import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from batchgate.v1.batch_pb2 import BATCH_STATUS_COMPLETED
from batchgate.v1.file_service_pb2 import UploadReport
from batchgate_client import BatchgateError
from batchgate_client.cli import again
from batchgate_client.cli.advice import exit_code, lines
from batchgate_client.cli.call import Call
from batchgate_client.cli.checking import (
    Limits,
    check_file,
    described,
    issue_lines,
    warning_lines,
)
from batchgate_client.cli.choosing import chosen_provider, limits_of
from batchgate_client.cli.failures import (
    FAILED,
    INTERRUPTED,
    NOT_STARTED,
    UNUSABLE,
    failure,
)
from batchgate_client.cli.following import Follower, expected_rows, outcome
from batchgate_client.cli.presence import BROKEN_OFF, PatientClient
from batchgate_client.cli.resumable import (
    Creation,
    Record,
    ResultsFile,
    earlier,
    opened,
    paid_for,
    record_path,
)
from batchgate_client.cli.summary import summarize
from batchgate_client.cli.transfers import upload_file
from batchgate_client.cli.wording import size_text
from batchgate_client.cli.writing import write_results
from batchgate_client.patience import Patience

T = TypeVar("T")
# While nothing is created yet, a gateway that stays away is soon told.
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be run, and where the results go."""

    input: Path
    out: Path
    endpoint: str
    metadata: dict[str, str]
    completion_window: str
    expires_after: int | None
    output_expires_after: int | None
    force: bool


class Run:
    """One run of `batchgate run`."""

    def __init__(self, call: Call, plan: Plan) -> None:
        self._call = call
        self._plan = plan
        self._steps = call.steps()
        self.follower = Follower(call, as_json=False)

    def go(self, client: PatientClient) -> int:
        """From the check to the summary; the exit code that tells the outcome."""
        began = time.monotonic()
        try:
            provider = chosen_provider(client, self._call.connection.provider)
            report = self._checked(limits_of(provider))
        except KeyboardInterrupt:
            raise failure("interrupted; nothing was sent", code=INTERRUPTED) from None
        with opened(self._plan.out) as file:
            creation = self._begun(file, report, provider=provider.name)
            with self._border(client, file, creation):
                if not creation.file_id:
                    self._upload(client, file, creation, report)
                if not file.record.batch_id:
                    self._create(client, file, creation, report)
                batch_id = file.record.batch_id
                batch = _lasting(client, lambda: self.follower.follow(client, batch_id))
                rows = expected_rows(batch, uncounted=report.line_count)
                tally = _lasting(
                    client,
                    lambda: write_results(client, file, steps=self._steps, expected=lambda: rows),
                )
            if not tally.rows and batch.status != BATCH_STATUS_COMPLETED:
                file.discard()
        took = time.monotonic() - began
        summarize(self._call.output, batch, tally, self._plan.out, seconds=took)
        return outcome(batch, tally)

    def _checked(self, limits: Limits) -> UploadReport:
        path = self._plan.input
        if path.exists() and not path.is_dir() and not path.is_file():
            raise failure(f"{path}: is no regular file, and is read twice", code=UNUSABLE)
        self._steps.begin("checking", str(path))
        size = path.stat().st_size if path.exists() else None
        with self._steps.transfer("checking", size) as bar:
            report = check_file(path, limits, endpoint=self._plan.endpoint, progress=bar.reach)
        if report.issues:
            told = [f"{path}: faulty lines; nothing was sent", *issue_lines(path, report)]
            raise failure("\n  ".join(told), code=UNUSABLE)
        for line in warning_lines(path, report):
            self._steps.tell("warning", line.replace(": warning: ", ": ", 1))
        self._steps.tell("checked", f"{path}: {described(report)}")
        return report

    def _begun(self, file: ResultsFile, report: UploadReport, *, provider: str) -> Creation:
        """What is known of this run; nothing new if it was begun before."""
        # Forced or not: the same command never creates a second batch of what is under way.
        known = paid_for(file, report.sha256) if self._plan.force else earlier(file)
        if known is None:
            creation = Creation(
                input_sha256=report.sha256, request_id=uuid.uuid4().hex, provider=provider
            )
            file.begin(Record(creation=creation))
            return creation
        if known.creation is None or known.creation.input_sha256 != report.sha256:
            whose = f", of {known.batch_id}" if known.batch_id else ""
            message = (
                f"{record_path(file.path)}: is of another input{whose}; "
                "name another file with --out, or begin anew with --force"
            )
            raise failure(message, code=UNUSABLE)
        if known.creation.provider not in {"", provider}:
            message = (
                f"{record_path(file.path)}: is of a batch at {known.creation.provider}, and would be "
                f"paid for again at {provider}; go on with --provider {known.creation.provider}, or "
                "name another file with --out"
            )
            raise failure(message, code=UNUSABLE)
        file.begin(known)
        if there := known.batch_id or known.creation.file_id:
            self._steps.tell("going on", there)
        return known.creation

    def _upload(
        self, client: PatientClient, file: ResultsFile, creation: Creation, report: UploadReport
    ) -> None:
        size = size_text(report.received_bytes)

        def upload() -> str:
            self._steps.begin("uploading", size)
            answer = upload_file(
                client,
                self._plan.input,
                steps=self._steps,
                sha256=report.sha256,
                endpoint=self._endpoint(report),
                expires_after=self._plan.expires_after,
            )
            return answer.file.id

        creation.file_id = _lasting(client, upload, seconds=START_SECONDS)
        file.keep()
        self._steps.tell("uploaded", f"{creation.file_id}, {size}")

    def _create(
        self, client: PatientClient, file: ResultsFile, creation: Creation, report: UploadReport
    ) -> None:
        def create() -> str:
            self._steps.begin("creating", "")
            with self._steps.rows("creating"):
                return client.create_batch(
                    creation.file_id,
                    endpoint=self._endpoint(report),
                    metadata=self._plan.metadata,
                    completion_window=self._plan.completion_window,
                    output_expires_after=self._plan.output_expires_after,
                    request_id=creation.request_id,
                ).id

        # Under one request id it is the same batch, however often it is asked for.
        file.record.batch_id = _lasting(client, create, seconds=START_SECONDS)
        file.keep()
        self._steps.tell("created", file.record.batch_id)

    def _endpoint(self, report: UploadReport) -> str:
        return self._plan.endpoint or report.urls[0]

    @contextmanager
    def _border(
        self, client: PatientClient, file: ResultsFile, creation: Creation
    ) -> Iterator[None]:
        """Where something breaks off: say what there is, and how to go on."""
        try:
            try:
                yield
            except BaseException:
                if not creation.file_id:
                    file.discard()
                raise
        except BatchgateError as error:
            code = FAILED if file.record.batch_id else exit_code(error)
            told = [*lines(error, self._call.connection, client), *self._next(file, creation)]
            started = file.record.batch_id or code == UNUSABLE
            raise failure("\n".join(told), code=code if started else NOT_STARTED) from None
        except OSError as error:
            kept = "; the rows in it are whole" if file.can_resume else ""
            told = [f"{file.path}: {error.strerror}{kept}", *self._next(file, creation)]
            raise failure("\n".join(told), code=FAILED) from None
        except KeyboardInterrupt:
            told = ["interrupted", *self._next(file, creation)]
            raise failure("\n".join(told), code=INTERRUPTED) from None

    def _next(self, file: ResultsFile, creation: Creation) -> list[str]:
        connection, batch_id = self._call.connection, file.record.batch_id
        if not creation.file_id:
            return ["no batch was created; the same command begins anew"]
        if not batch_id:
            return [
                f"{creation.file_id} is uploaded, and a batch of it may be there already",
                "the same command goes on: it finds that batch, or creates it",
            ]
        resume = ("--out", file.path, "--resume") if file.can_resume else ("--wait",)
        return [
            f"{batch_id} goes on, and nothing is lost; so does the same command, or:",
            f"  {again.command(connection, 'watch', batch_id)}",
            f"  {again.command(connection, 'results', batch_id, *resume)}",
        ]


def _lasting(client: PatientClient, action: Callable[[], T], *, seconds: float = math.inf) -> T:
    """What `action` gives, tried again while no gateway answers: what it does is safe to repeat."""
    patience = Patience(seconds)
    # There was one already: it is not the address that is wrong.
    patience.progress()
    while True:
        try:
            done = action()
        except BatchgateError as error:
            client.pause(patience.pause(error), why=error.reason or BROKEN_OFF)
            continue
        client.is_back()
        return done
