"""Content by recipe: pieces of JSON that are odd each in its own way, in any mixture and of any size."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from tests import hostile

PIECES: Mapping[str, tuple[bytes, bytes, bytes]] = {
    **hostile.VALUES,
    "long numbers": (b"[1", b"," + b"7" * 4000, b"]"),
    "one number": (b"1", b"7", b""),
    "fractions": (b"[1", b",0.30000000000000004e-300", b"]"),
    "digits of a fraction": (b"0.1", b"7", b""),
    "NaN": (b"[NaN", b",NaN", b"]"),
    "NaN, then objects": (b"[NaN", b',{"a":{}}', b"]"),
    "a control character, then text": (b'"\t', b"a", b'"'),
    "a control character, then nested lists": (b'["\t"', b",[[[[]]]]", b"]"),
    "depth": (b"[1", b"," + b"[" * 400 + b"]" * 400, b"]"),
    "too much depth": (b"[1,", b"[[[[", b"]"),
    "errors": (b'[{"error":1}', b',{"error":{"error":{"error":{"detail":[[],[[]]]}}}}', b"]"),
    "messages": (b'[{"message":null}', b',{"message":"a","code":7}', b"]"),
    "empty messages": (b'[{"message":null}', b',{"message":"","x":[0,[0]]}', b"]"),
    "second halves": (b'"', rb"\udf0d", b'"'),
    "escaped controls": (b'"', rb"\u0000\n", b'"'),
    "escaped keys": (b'{"a":1', b',"\\u006d\\u006fdel":1', b"}"),
    "bodies": (b'{"a":1', b',"body":{"model":1}', b"}"),
    "signs of words": (b'["', b'"response","usage",\\"', b'"]'),
    "not UTF-8": (b'"', b"a\xff", b'"'),
    "line breaks": (b"[1", b"\r\r", b"]"),
}
NAMES = sorted(PIECES)
MOST_PARTS = 5
MOST_DEPTH = 500
# What may stand in the place of a name or of a short value.
WORDS = (
    *(
        b'"a"',
        b'"gpt-4o-mini"',
        rb'"gpt\u002d4o-mini"',
        rb'"\ud83c"',
        rb'"\\\ud83c"',
        b"1",
        b"null",
    ),
    *(
        b'"1"',
        b"{}",
        b"[]",
        b"NaN",
        b"1e999",
        b"-0",
        b'"failed"',
        b'"response"',
        b'"\xc3\xa9"',
        b"true",
    ),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What content is made of; its size is said when it is made."""

    parts: tuple[tuple[str, int], ...]
    """Kinds of pieces, each with its share."""
    depth: int = 0
    """Lists around it."""
    words: tuple[bytes, ...] = (b'"a"', b'"gpt-4o-mini"')
    """For the short values of its target."""
    count: int = 1
    """How many lines, rows or errors make up the size."""
    tail: bytes = b""
    """What follows the last value, a fault for the most part."""

    def value(self, size: int) -> bytes:
        """JSON of about so many bytes."""
        total = sum(share for _, share in self.parts)
        made = [piece(kind, size * share // total) for kind, share in self.parts]
        inner = made[0] if len(made) == 1 else b"[" + b",".join(made) + b"]"
        return b"[" * self.depth + inner + b"]" * self.depth + self.tail

    def word(self, number: int) -> bytes:
        """One of its words."""
        return self.words[number % len(self.words)]

    def __str__(self) -> str:
        total = sum(share for _, share in self.parts)
        said = [f"{100 * share // total} % {kind}" for kind, share in self.parts]
        if self.depth:
            said.append(f"in {self.depth} lists")
        if self.count > 1:
            said.append(f"{self.count} times")
        if self.tail:
            said.append(f"with {self.tail!r} behind")
        return f"{', '.join(said)}; words {b' '.join(self.words).decode(errors='replace')}"


def piece(kind: str, size: int) -> bytes:
    """One value of about so many bytes."""
    begin, unit, end = PIECES[kind]
    return begin + unit * max((size - len(begin) - len(end)) // len(unit), 0) + end


def first(random: Random) -> Recipe:
    """Any recipe."""
    return Recipe(parts=((random.choice(NAMES), 1),))


def changed(recipe: Recipe, random: Random) -> Recipe:
    """The same with one change."""
    parts = list(recipe.parts)
    at = random.randrange(len(parts))
    match random.randrange(8):
        case 0 if len(parts) < MOST_PARTS:
            parts.insert(at, (random.choice(NAMES), random.choice((1, 4, 16))))
        case 1 if len(parts) > 1:
            del parts[at]
        case 2:
            parts[at] = (parts[at][0], random.choice((1, 4, 16, 64)))
        case 3:
            return replace(recipe, depth=random.choice((0, 1, 30, MOST_DEPTH)))
        case 4:
            words = [random.choice(WORDS) for _ in range(random.randint(1, 5))]
            return replace(recipe, words=tuple(words))
        case 5:
            return replace(recipe, count=random.choice((1, 2, 10, 100, 2000)))
        case 6:
            return replace(
                recipe, tail=random.choice((b"", b"", b" ", b"]", b",1", b"\xff", b'"\\'))
            )
        case _:
            parts[at] = (random.choice(NAMES), parts[at][1])
    return replace(recipe, parts=tuple(parts))
