"""Requests for the fuzzer, made from the descriptors: right ones, wrong ones, and bytes that are none."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from batchgate.v1 import batch_service_pb2, file_service_pb2
from tests.abuse.rpcs import Rpc

CANARY = "canary-of-a-caller-0123456789"
"""Stands in contents and fields that nobody else may see."""

TEXT = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "file-1",
            "batch_1",
            "batch",
            "vision",
            "openai",
            "azure",
            "azure-dated",
            "/v1/chat/completions",
            "24h",
            "..",
            "a/b",
            "%2e%2e",
            "a\r\nb: c",
            "\0",
            "é\u2028\u202e\U0001f600",
            CANARY,
            "x" * 300,
            "x" * 20_000,
            "W10",
            "bnVsbA",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
JSON_LINE = (
    b'{"custom_id":"%b","method":"POST","url":"/v1/chat/completions",'
    b'"body":{"model":"gpt-4o-mini","messages":[]}}\n'
)
BYTES = st.one_of(
    st.sampled_from(
        [
            b"",
            b"\n",
            b"{}",
            CANARY.encode(),
            b"\xef\xbb\xbf{}\n",
            b'{"custom_id":"a',
            b"\xff\xfe\n",
            b"[" * 2000,
            b"9" * 5000 + b"\n",
            b'{"custom_id":"\\ud800"}\n',
            JSON_LINE % b"1",
            JSON_LINE % b"1",
            JSON_LINE % b"2",
            JSON_LINE % CANARY.encode(),
        ]
    ),
    st.binary(max_size=64),
)
JSON = st.sampled_from(
    [
        "",
        "{}",
        "[]",
        "null",
        '{"model":"gpt-4o-mini"}',
        '{"model":1}',
        '{"model":"a","model":"b"}',
        '{"a":"\\ud800"}',
        '{"a":NaN}',
        '{"a":1e999}',
        '{"a":' + "9" * 5000 + "}",
        "{" * 2000,
        '{"a":' * 1000,
        f'{{"x":"{CANARY}"}}',
        "\x00",
    ]
)
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
}
SMALL = st.sampled_from([0, 1, 2, 3, 10, 100])


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of a field that is no message."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return BYTES
        case FieldDescriptor.CPPTYPE_STRING:
            return JSON if field.name.endswith("_json") else TEXT
        case FieldDescriptor.CPPTYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.CPPTYPE_ENUM:
            # Also ones that the contract has not got.
            return st.sampled_from([0, 1, 2, 3, 4, 77, 2**31 - 1, -1])
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return st.floats()
        case kind:
            return SMALL | INTEGERS[kind]


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, *, depth: int = 4) -> Message:
    """A message with any of its fields."""
    message = GetMessageClass(descriptor)()
    # A watch or a wait that ends: fuzzing is not about patience.
    wanted = draw(st.sets(st.sampled_from([f.name for f in descriptor.fields])))
    for field in descriptor.fields:
        if field.name not in wanted or not depth:
            continue
        if field.message_type is None:
            if field.is_repeated:
                getattr(message, field.name).extend(draw(st.lists(scalar(field), max_size=3)))
            else:
                setattr(message, field.name, draw(scalar(field)))
        elif field.message_type.GetOptions().map_entry:
            fill_map(draw, message, field, depth)
        elif field.is_repeated:
            inner = draw(st.lists(messages(field.message_type, depth=depth - 1), max_size=3))
            getattr(message, field.name).extend(inner)
        else:
            inner_message = draw(messages(field.message_type, depth=depth - 1))
            getattr(message, field.name).CopyFrom(inner_message)
    return message


def fill_map(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    """Up to twenty pairs."""
    assert field.message_type is not None
    value = field.message_type.fields_by_name["value"]
    target = getattr(message, field.name)
    if value.message_type is None:
        for key, text in draw(st.dictionaries(TEXT, scalar(value), max_size=20)).items():
            target[key] = text
    else:
        for key in draw(st.lists(TEXT, max_size=2)):
            target[key].CopyFrom(draw(messages(value.message_type, depth=depth - 1)))


# Tags of any field and wire type with something behind them: unknown fields, wrong types, groups.
JUNK = st.binary(max_size=40) | st.sampled_from(
    [b"\xff\xff\xff", b"\x0b" * 200, b"\x9a\xa8\x01\x02hi", b"\x0a\xff\xff\xff\xff\x0f"]
)


@st.composite
def raw_messages(draw: st.DrawFn, descriptor: Descriptor) -> bytes:
    """A message as bytes: mostly whole, else with more behind it, cut off, or changed."""
    raw = draw(messages(descriptor)).SerializeToString()
    match draw(st.sampled_from(["whole"] * 6 + ["more", "cut", "changed", "junk"])):
        case "more":
            return raw + draw(JUNK)
        case "cut":
            return raw[: draw(st.integers(0, len(raw)))]
        case "changed" if raw:
            place = draw(st.integers(0, len(raw) - 1))
            return raw[:place] + draw(st.binary(min_size=1, max_size=1)) + raw[place + 1 :]
        case "junk":
            return draw(JUNK)
        case _:
            return raw


@st.composite
def good_stream(draw: st.DrawFn, rpc: Rpc) -> list[bytes]:
    """A stream that begins as it should, so that what follows is looked at."""
    fields: dict[str, Any] = {"endpoint": "/v1/chat/completions", "filename": "a.jsonl"}
    if "purpose" in rpc.asks.fields_by_name:
        fields["purpose"] = draw(st.sampled_from(["batch", "vision"]))
    first: Any = rpc.first(**fields)
    if draw(st.booleans()):
        first.metadata.MergeFrom(draw(messages(rpc.asks)))
    right = chunks() if rpc.name == "UploadFile" else rows()
    rest = draw(st.lists(right, min_size=1, max_size=3))
    rest += draw(st.lists(right | raw_messages(rpc.descriptor.input_type), max_size=2))
    return [first.SerializeToString(), *rest]


def chunks() -> st.SearchStrategy[bytes]:
    """Messages of an upload as they should be; what they carry is anything."""
    return BYTES.map(
        lambda chunk: file_service_pb2.UploadFileRequest(chunk=chunk).SerializeToString()
    )


def rows() -> st.SearchStrategy[bytes]:
    """Messages of a submission as they should be, most of their rows too."""
    line = st.builds(
        batch_service_pb2.BatchLine,
        custom_id=st.uuids().map(str) | TEXT,
        body_json=st.just('{"model":"gpt-4o-mini","messages":[]}') | JSON,
    )
    return st.lists(line, max_size=2).map(
        lambda lines: batch_service_pb2.SubmitBatchRequest(
            lines=batch_service_pb2.BatchLines(lines=lines)
        ).SerializeToString()
    )


def streams(rpc: Rpc) -> st.SearchStrategy[list[bytes]]:
    """What a caller sends in one call."""
    one = raw_messages(rpc.descriptor.input_type)
    if not rpc.descriptor.client_streaming:
        return one.map(lambda raw: [raw])
    return good_stream(rpc) | st.lists(one, max_size=6)


METADATA_KEYS = ["x-request-id", "x-other", "x-other-bin", "authorization", "x-provider-key"]


@st.composite
def metadata(draw: st.DrawFn) -> list[tuple[str, str | bytes]]:
    """Headers that a gRPC library lets through."""
    pairs: list[tuple[str, str | bytes]] = []
    for key in draw(st.lists(st.sampled_from(METADATA_KEYS), max_size=3)):
        if key.endswith("-bin"):
            pairs.append((key, draw(st.binary(max_size=50))))
        else:
            pairs.append(
                (
                    key,
                    draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)),
                )
            )
    return pairs
