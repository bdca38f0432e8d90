"""A search for input that holds the event loop: whatever takes longest is changed further.

Each target is what the gateway does with one kind of input, as the steps between which its event
loop goes on. Counted is the processor's time of this thread, so that a busy machine is no defect.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from time import monotonic, thread_time

from pydantic import ValidationError

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.outcomes import read_result
from batchgate_server.errors import InvalidField
from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.jsonl.model_names import is_ambiguous
from batchgate_server.jsonl.rules import Rules
from batchgate_server.rest.models import RestBatch, explanation
from batchgate_server.translation.page_tokens import read_page_token
from batchgate_server.translation.results import add_result, cut_result
from batchgate_server.translation.resume_tokens import read_resume_token
from batchgate_server.translation.rows import RowFault, RowWriter
from tests.chaos.recipes import Recipe, changed, first

MIB = 1024 * 1024
ALLOWED, ALIAS = "gpt-4o-mini", "mini"
RULES = Rules(
    max_lines=50_000,
    max_line_bytes=16 * MIB,
    models={ALLOWED: ALIAS},
    permitted_models=frozenset({ALIAS}),
)
ROW_PART = MIB
# A climber that finds nothing slower in so many tries begins elsewhere.
PATIENCE = 25
# A measurement is the least of so many, where it decides.
AGAIN = 3


@dataclass(frozen=True, slots=True)
class Target:
    """What is done with one kind of input."""

    name: str
    make: Callable[[Recipe, int], bytes]
    """The input, of about so many bytes."""
    steps: Callable[[bytes], Iterator[object]]


@dataclass(frozen=True, slots=True)
class Found:
    """What an input has cost, in seconds."""

    recipe: Recipe
    size: int
    longest: float
    """Of one step."""
    whole: float
    """Of all steps."""

    @property
    def per_byte(self) -> float:
        """Nanoseconds of all steps."""
        return self.whole / self.size * 1e9

    def __str__(self) -> str:
        return (
            f"{self.longest * 1e3:.1f} ms in one step, {self.per_byte:.1f} ns per byte, "
            f"{self.size} bytes: {self.recipe}"
        )


def measured(target: Target, recipe: Recipe, size: int, *, times: int = 1) -> Found:
    """What the input costs; of several times the least."""
    content = target.make(recipe, size)
    longest, whole = zip(*(_spent(target, content) for _ in range(times)), strict=True)
    return Found(recipe, len(content), min(longest), min(whole))


def _spent(target: Target, content: bytes) -> tuple[float, float]:
    longest = whole = 0.0
    steps = target.steps(content)
    going = True
    while going:
        began = thread_time()
        going = next(steps, steps) is not steps
        spent = thread_time() - began
        longest, whole = max(longest, spent), whole + spent
    return longest, whole


def worst(target: Target, random: Random, *, size: int, seconds: float) -> tuple[Found, Found, int]:
    """The input with the longest step, that with most time per byte, and how many were tried."""
    until = monotonic() + seconds
    slowest = dearest = here = measured(target, first(random), size)
    tried = missed = 0
    while monotonic() < until:
        afresh = missed > PATIENCE
        recipe = first(random) if afresh else changed(here.recipe, random)
        found = measured(target, recipe, random.choice((size, size, size // 16)))
        tried += 1
        by_step = random.random() < 0.5
        better = found.longest > here.longest if by_step else found.per_byte > here.per_byte
        missed = 0 if afresh or better else missed + 1
        here = found if afresh or better else here
        slowest = max(slowest, found, key=lambda one: one.longest)
        dearest = max(dearest, found, key=lambda one: one.per_byte)
    return slowest, dearest, tried


def _request(recipe: Recipe, number: int, value: bytes) -> bytes:
    custom_id, model = recipe.word(number), recipe.word(number + 1)
    return (
        b'{"custom_id":%b,"method":"POST","url":"/v1/chat/completions","body":{"model":%b,"x":%b}}\n'
        % (b'"%d"' % number if recipe.count > 1 else custom_id, model, value)
    )


def _file(recipe: Recipe, size: int) -> bytes:
    value = recipe.value(size // recipe.count)
    return b"".join(_request(recipe, number, value) for number in range(recipe.count))


def _checked(content: bytes) -> Iterator[object]:
    checker = JsonlChecker(RULES)
    yield from checker.feeding(content)
    yield None
    yield from checker.finishing()


def _row(recipe: Recipe, size: int) -> bytes:
    body = b'{"model":%b,"x":%b}' % (recipe.word(0), recipe.value(size))
    return body.decode(errors="replace").encode()


def _written(content: bytes) -> Iterator[object]:
    writer = RowWriter(endpoint="/v1/chat/completions", model=ALLOWED, models={ALLOWED: ALIAS})
    row = pb.BatchLine(custom_id="a", body_json=content.decode())
    with suppress(RowFault):
        line = yield from writer.writing(row)
        yield None
        yield from is_ambiguous(line.whole)


def _result(recipe: Recipe, size: int) -> bytes:
    word = recipe.word
    return (
        b'{"id":%b,"custom_id":"a","response":{"status_code":%b,"request_id":%b,"body":'
        b'{"object":%b,"status":%b,"model":%b,"x":%b}},"error":null}'
        % (word(0), word(1), word(2), word(3), word(4), word(5), recipe.value(size))
    )


def _failure(recipe: Recipe, size: int) -> bytes:
    return b'{"id":"a","custom_id":%b,"response":%b,"error":%b}' % (
        recipe.word(0),
        recipe.word(1),
        recipe.value(size),
    )


wanted: Counter[bool] = Counter()


def _streamed(content: bytes) -> Iterator[object]:
    line = read_result(content)
    wanted[line.succeeded] += 1
    if len(content) <= ROW_PART:
        add_result(pb.StreamBatchResultsResponse(), line, number=1)
    else:
        yield from cut_result(line, number=1, part_bytes=ROW_PART)


def _batch(recipe: Recipe, size: int) -> bytes:
    value = recipe.value(size // recipe.count)
    word = recipe.word
    errors = b",".join([b'{"code":%b,"message":%b}' % (word(0), value)] * recipe.count)
    return b'{"id":"a","status":%b,"created_at":%b,"errors":{"data":[%b]},"metadata":{"a":%b}}' % (
        *(word(1), word(2)),
        *(errors, word(3)),
    )


def _batch_read(content: bytes) -> Iterator[object]:
    with suppress(ValueError, RecursionError, ValidationError):
        document = json.loads(content)
        yield None
        RestBatch.model_validate(document)
        yield None
        explanation(document)


def _page(recipe: Recipe, size: int) -> bytes:
    return _token(b'[1,"%b",%b,%b]' % (b"0" * 16, recipe.value(size), recipe.word(0)))


def _place(recipe: Recipe, size: int) -> bytes:
    value = recipe.value(size)
    return _token(b'[2,"a",%b,%b,%b,0,"b"]' % (value, recipe.word(0), recipe.word(1)))


def _token(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _page_read(token: bytes) -> Iterator[object]:
    with suppress(InvalidField):
        read_page_token(token.decode(), "ListFiles")
    yield None


def _place_read(token: bytes) -> Iterator[object]:
    with suppress(InvalidField):
        read_resume_token(token.decode(), "a", files=2)
    yield None


TARGETS = (
    Target("lines of a file", _file, _checked),
    Target("a row", _row, _written),
    Target("a result", _result, _streamed),
    Target("a failed result", _failure, _streamed),
    Target("a batch", _batch, _batch_read),
    Target("a page token", _page, _page_read),
    Target("a resume token", _place, _place_read),
)
