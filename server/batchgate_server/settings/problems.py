"""What can be wrong with a configuration, collected before it is told."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is and what is allowed there. Never the value, which may be a secret.

    `place` is a path in the TOML file (`providers.azure-eu.api_version`), the name of an
    environment variable, or a file with line and column.
    """

    place: str
    message: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.place}: {self.message}"


class ConfigurationError(Exception):
    """The configuration cannot be used; `problems` holds every mistake that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """One line for each problem."""
        return "\n".join(str(problem) for problem in self.problems)


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """A question to append to a message, or nothing if no known word is similar.

    A `prefix` that all words have is not compared: it would make any two of them similar.
    """
    words = [name.removeprefix(prefix) for name in known]
    close = difflib.get_close_matches(word.removeprefix(prefix), words, n=1)
    return f"; did you mean {prefix}{close[0]}?" if close else ""
