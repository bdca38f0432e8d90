"""Writes the API reference of the protos, `REFERENCE.md`: each service, message and enum with its comments.

`python protos/reference.py`; with `--check` it writes nothing and exits with 1 if that is not current.
"""

import importlib.resources
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

HERE = Path(__file__).resolve().parent
PACKAGE = Path("batchgate/v1")
TARGET = HERE / "REFERENCE.md"
HEAD = """# API reference: `batchgate.v1`

Made from the comments of [`batchgate/v1`](batchgate/v1) by `python protos/reference.py`. What holds
for every call, and each error with an example: [`ErrorReason`](#errorreason).
"""
Field = pb.FieldDescriptorProto
SCALARS = {number: name.removeprefix("TYPE_").lower() for name, number in Field.Type.items()}
# Of descriptor.proto: where services, messages, enums and what is in them lie in a path.
SERVICE, MESSAGE, ENUM, INSIDE = 6, 4, 5, 2


def described() -> Sequence[pb.FileDescriptorProto]:
    """The files of the package, with their comments."""
    names = sorted(str(one.relative_to(HERE)) for one in (HERE / PACKAGE).glob("*.proto"))
    wellknown = importlib.resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory, "image")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={HERE}"]
        command += [f"--proto_path={wellknown}", "--include_source_info"]
        subprocess.run([*command, f"--descriptor_set_out={image}", *names], check=True, cwd=HERE)  # noqa: S603 - our own arguments
        return pb.FileDescriptorSet.FromString(image.read_bytes()).file


class Comments:
    """The comments of one file, by where they stand."""

    def __init__(self, file: pb.FileDescriptorProto) -> None:
        self._found = {
            tuple(one.path): one.leading_comments for one in file.source_code_info.location
        }

    def of(self, *path: int) -> str:
        """The comment before what is at the path, as Markdown."""
        lines = self._found.get(path, "").splitlines()
        return "\n".join(line.removeprefix(" ") for line in lines).strip()


def link(type_name: str) -> str:
    """A message's or enum's name, linked to its section if it is one of ours."""
    name = type_name.removeprefix(".")
    short = name.rpartition(".")[2]
    return f"[`{short}`](#{short.lower()})" if name.startswith("batchgate.") else f"`{name}`"


def services(file: pb.FileDescriptorProto, comments: Comments) -> Iterator[str]:
    """The services, each with its RPCs."""
    for number, service in enumerate(file.service):
        yield f"## {service.name}\n\n{comments.of(SERVICE, number)}\n"
        for place, method in enumerate(service.method):
            sides = [
                f"{'stream of ' if streams else ''}{link(name)}"
                for streams, name in (
                    (method.client_streaming, method.input_type),
                    (method.server_streaming, method.output_type),
                )
            ]
            yield f"### {method.name}\n\n{sides[0]} → {sides[1]}\n"
            yield f"{comments.of(SERVICE, number, INSIDE, place)}\n"


def type_of(field: Field, entries: dict[str, pb.DescriptorProto]) -> str:
    """A field's type, for people."""
    if entry := entries.get(field.type_name.rpartition(".")[2]):
        key, value = (type_of(one, {}) for one in entry.field)
        return f"map of {key} to {value}"
    name = link(field.type_name) if field.type_name else f"`{SCALARS[field.type]}`"
    if field.label == Field.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def messages(file: pb.FileDescriptorProto, comments: Comments) -> Iterator[str]:
    """The messages, each with a table of its fields."""
    for number, message in enumerate(file.message_type):
        yield f"## {message.name}\n\n{comments.of(MESSAGE, number)}\n"
        if not message.field:
            continue
        entries = {one.name: one for one in message.nested_type if one.options.map_entry}
        rows = ["| field | type | meaning |", "|---|---|---|"]
        for place, field in enumerate(message.field):
            told = " ".join(comments.of(MESSAGE, number, INSIDE, place).split())
            if field.HasField("oneof_index") and not field.proto3_optional:
                told = f"One of `{message.oneof_decl[field.oneof_index].name}`. {told}"
            cell = told.replace("|", "\\|")
            rows.append(f"| `{field.name}` | {type_of(field, entries)} | {cell} |")
        yield "\n".join(rows) + "\n"


def enums(file: pb.FileDescriptorProto, comments: Comments) -> Iterator[str]:
    """The enums, each with its values."""
    for number, enum in enumerate(file.enum_type):
        yield f"## {enum.name}\n\n{comments.of(ENUM, number)}\n"
        for place, value in enumerate(enum.value):
            told = comments.of(ENUM, number, INSIDE, place)
            yield f"- `{value.name}`: " + told.replace("\n", "\n  ") + "\n"


def reference() -> str:
    """The whole page: services first, then what they speak of."""
    files = [(file, Comments(file)) for file in described()]
    parts = [HEAD]
    for section in (services, messages, enums):
        for file, comments in files:
            parts += section(file, comments)
    return "\n".join(parts)


def main() -> int:
    """Write, or check; returns the exit code."""
    wanted = reference()
    if "--check" not in sys.argv:
        TARGET.write_text(wanted)
    elif not TARGET.exists() or TARGET.read_text() != wanted:
        sys.stderr.write("not current: protos/REFERENCE.md; run `make protos`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
