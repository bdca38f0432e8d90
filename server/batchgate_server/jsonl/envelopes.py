"""The envelope of a line: decoded, with everything else in the body skipped over, not built."""

import msgspec

ABSENT = msgspec.UNSET
Absent = msgspec.UnsetType
TRUE = msgspec.Raw(b"true")


class Body(msgspec.Struct, gc=False):
    """A line's body: only the model is looked at, and whether it asks for a stream."""

    model: str | Absent = ABSENT
    stream: msgspec.Raw = msgspec.Raw()


class Envelope(msgspec.Struct, gc=False):
    """A line as it should be."""

    custom_id: str
    method: str
    url: str
    body: Body


class RawBody(msgspec.Struct):
    """A body whose model stays the bytes that it is."""

    model: msgspec.Raw = msgspec.Raw()


class RawEnvelope(msgspec.Struct):
    """A line whose members stay the bytes that they are."""

    custom_id: msgspec.Raw = msgspec.Raw()
    method: msgspec.Raw = msgspec.Raw()
    url: msgspec.Raw = msgspec.Raw()
    body: RawBody = msgspec.field(default_factory=RawBody)


class _PromptBody(msgspec.Struct):
    prompt: msgspec.Raw = msgspec.Raw()


class _PromptLine(msgspec.Struct):
    body: _PromptBody


class Members(msgspec.Struct):
    """A line's members, whatever they are; empty where there is none."""

    custom_id: msgspec.Raw = msgspec.Raw()
    method: msgspec.Raw = msgspec.Raw()
    url: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_envelopes = msgspec.json.Decoder(Envelope).decode_lines
decode_raw = msgspec.json.Decoder(RawEnvelope).decode
decode_members = msgspec.json.Decoder(Members).decode
decode_body = msgspec.json.Decoder(RawBody).decode
decode_any = msgspec.json.Decoder().decode
_decode_prompt = msgspec.json.Decoder(_PromptLine).decode


def has_prompt(line: bytes) -> bool:
    """Whether the body of a whole line names a stored prompt: `"prompt": {"id": …}`."""
    return bytes(_decode_prompt(line).body.prompt).startswith(b"{")
