"""What happens while a command runs: bars where the standard error is a terminal, else plain lines."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from batchgate_client.cli.wording import printable

LABEL = 12
# The widest bar; in a narrow terminal it leaves room for so many characters beside it.
WIDEST_BAR, NARROWEST_BAR, BESIDE = 40, 10, 62


class Steps:
    """Tells each step on the standard error, and draws a bar for one that takes its time."""

    def __init__(self, *, plain: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._width = min(WIDEST_BAR, max(NARROWEST_BAR, self._console.width - BESIDE))
        self.draws = self._console.is_interactive and not plain
        """Whether bars are drawn."""

    def tell(self, step: str, text: str) -> None:
        """A line: a word for what happened, and the details."""
        self._console.print(Text.assemble((f"{printable(step):<{LABEL}}", "cyan"), printable(text)))

    def begin(self, step: str, text: str) -> None:
        """A line where no bar says that this has begun."""
        if not self.draws:
            self.tell(step, text)

    @contextmanager
    def transfer(self, step: str, total: int | None) -> Iterator["Bar"]:
        """A bar of bytes, with rate and time left."""
        columns: list[ProgressColumn] = [
            *(_label(), BarColumn(self._width), TaskProgressColumn()),
            *(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
        ]
        with self._bar(columns) as progress:
            yield Bar(progress, step, total=total)

    @contextmanager
    def rows(self, step: str) -> Iterator["Bar"]:
        """A bar of rows that succeeded and failed, with a note beside it."""
        columns: list[ProgressColumn] = [
            *(_label(), _Outcomes(self._width), TextColumn("{task.fields[note]}", markup=False)),
            TimeElapsedColumn(),
        ]
        with self._bar(columns) as progress:
            yield Bar(progress, step, total=None)

    @contextmanager
    def _bar(self, columns: list[ProgressColumn]) -> Iterator[Progress | None]:
        if not self.draws:
            yield None
            return
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield progress


class Bar:
    """A bar; one that is nowhere drawn, if there is no progress."""

    def __init__(self, progress: Progress | None, step: str, *, total: int | None) -> None:
        self._progress = progress
        if progress:
            self._task = progress.add_task(step, total=total, note="", failed=0)

    def reach(self, done: int, total: int | None = None) -> None:
        """So many bytes are done."""
        if self._progress:
            self._progress.update(self._task, completed=done, total=total)

    def outcomes(self, word: str, *, total: int, succeeded: int, failed: int, note: str) -> None:
        """So many rows are done, of `total` if that is known (not 0)."""
        if self._progress:
            self._progress.update(
                self._task,
                description=printable(word),
                total=total or None,
                completed=succeeded + failed,
                failed=failed,
                note=note,
            )


def _label() -> TextColumn:
    return TextColumn(f"[cyan]{{task.description:<{LABEL - 1}}}")


class _Outcomes(ProgressColumn):
    """A bar with the rows that succeeded in one colour, and those that failed in another."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._width = width

    def render(self, task: Task) -> Text:
        total = task.total or 0
        failed = round(self._width * task.fields["failed"] / total) if total else 0
        if task.fields["failed"]:
            failed = max(failed, 1)  # A single failure among many is seen too.
        done = round(self._width * task.completed / total) if total else 0
        return Text.assemble(
            ("━" * max(done - failed, 0), "green"),
            ("━" * failed, "red"),
            ("─" * (self._width - max(done, failed)), "bright_black"),
        )
