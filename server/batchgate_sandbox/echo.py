"""The built-in model: it says back what it was told, in the shape of the endpoint asked.

The same line gets the same answer, but for its time.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_DIMENSIONS = 8
_MOST_DIMENSIONS = 4096
_MAX_REPLY_LENGTH = 100_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as the endpoint would answer it, and the tokens it took."""

    body: Json
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class _Question:
    body: Json
    text: str
    reply: str
    digest: str
    now: int

    @property
    def input_tokens(self) -> int:
        return tokens(self.text)

    @property
    def output_tokens(self) -> int:
        return tokens(self.reply)


def answer(
    url: str, body: Json, *, now: float, reply: str | None = None, reply_length: int | None = None
) -> Answer:
    """Answer the line's ``body``; an endpoint without a shape of its own gets a general one."""
    text = said(body)
    spoken = f"Echo: {text}" if reply is None else reply
    digest = hashlib.sha256(f"{url}\n{body.get('model')}\n{text}".encode(errors="replace"))
    question = _Question(
        body=body,
        text=text,
        reply=spoken if reply_length is None else _repeated(spoken, reply_length),
        digest=digest.hexdigest(),
        now=int(now),
    )
    shape = _SHAPES.get(url.removeprefix("/v1"), _general)
    return shape(question)


def _repeated(text: str, length: int) -> str:
    """``text`` again and again, numbered, so that no two parts of it are alike."""
    length = min(max(length, 0), _MAX_REPLY_LENGTH)
    count = length // (len(text) + 2) + 1
    return "".join(f"{number} {text} " for number in range(count))[:length]


def tokens(text: str) -> int:
    """About four characters a token, and never none."""
    return max(1, len(text) // 4)


def said(body: Json) -> str:
    """What the request says: its last message, its input or its prompt."""
    messages = body.get("messages")
    if isinstance(messages, list) and messages:
        return _text(messages[-1])
    return _text(body.get("input", body.get("prompt", "")))


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case {"content": content}:
            return _text(content)
        case {"text": str(text)}:
            return text
        case [*items]:
            return " ".join(filter(None, map(_text, items)))
        case _:
            return json.dumps(value, ensure_ascii=False)


def _chat(question: _Question) -> Answer:
    body: Json = {
        "id": f"chatcmpl-{question.digest[:24]}",
        "object": "chat.completion",
        "created": question.now,
        "model": question.body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": question.reply,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _completion_usage(question),
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return Answer(body, question.input_tokens, question.output_tokens)


def _completion(question: _Question) -> Answer:
    body: Json = {
        "id": f"cmpl-{question.digest[:24]}",
        "object": "text_completion",
        "created": question.now,
        "model": question.body.get("model"),
        "choices": [
            {"index": 0, "text": question.reply, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": _completion_usage(question),
    }
    return Answer(body, question.input_tokens, question.output_tokens)


def _completion_usage(question: _Question) -> Json:
    return {
        "prompt_tokens": question.input_tokens,
        "completion_tokens": question.output_tokens,
        "total_tokens": question.input_tokens + question.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _response(question: _Question) -> Answer:
    content = {"type": "output_text", "text": question.reply, "annotations": [], "logprobs": []}
    body: Json = {
        "id": f"resp_{question.digest[:32]}",
        "object": "response",
        "created_at": question.now,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": question.body.get("instructions"),
        "metadata": question.body.get("metadata") or {},
        "model": question.body.get("model"),
        "output": [
            {
                "id": f"msg_{question.digest[32:]}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [content],
            }
        ],
        "parallel_tool_calls": True,
        "temperature": question.body.get("temperature", 1.0),
        "tool_choice": "auto",
        "tools": [],
        "top_p": question.body.get("top_p", 1.0),
        "usage": {
            "input_tokens": question.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": question.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": question.input_tokens + question.output_tokens,
        },
    }
    return Answer(body, question.input_tokens, question.output_tokens)


def _embedding(question: _Question) -> Answer:
    given = question.body.get("input", "")
    texts = given if isinstance(given, list) else [given]
    count = sum(tokens(_text(one)) for one in texts)
    wanted = question.body.get("dimensions")
    sensible = isinstance(wanted, int) and 1 <= wanted <= _MOST_DIMENSIONS
    size = int(wanted) if wanted and sensible else _DIMENSIONS
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _vector(_text(one), size),
        }
        for index, one in enumerate(texts)
    ]
    body: Json = {
        "object": "list",
        "data": data,
        "model": question.body.get("model"),
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }
    return Answer(body, count, 0)


def _vector(text: str, size: int) -> list[float]:
    seed = hashlib.sha256(text.encode(errors="replace")).digest()
    raw = [seed[index % len(seed)] - 127.5 for index in range(size)]
    length = math.sqrt(sum(one * one for one in raw))
    return [round(one / length, 6) for one in raw]


def _general(question: _Question) -> Answer:
    body: Json = {
        "id": f"echo-{question.digest[:24]}",
        "object": "sandbox.echo",
        "created": question.now,
        "model": question.body.get("model"),
        "data": [{"text": question.reply}],
        "usage": {
            "input_tokens": question.input_tokens,
            "output_tokens": question.output_tokens,
            "total_tokens": question.input_tokens + question.output_tokens,
        },
    }
    return Answer(body, question.input_tokens, question.output_tokens)


_SHAPES: dict[str, Callable[[_Question], Answer]] = {
    "/chat/completions": _chat,
    "/completions": _completion,
    "/responses": _response,
    "/embeddings": _embedding,
}
