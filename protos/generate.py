"""The only producer of generated code: messages and stubs of each language, from the protos.

`python protos/generate.py` writes `protos/gen/python`; with `--clients` also what the clients in
other languages stand on, by `buf.gen.clients.yaml` and the tools that `.ci/tools` installs. With `--check`
it writes nothing and exits with 1 if something is not current.
"""

import argparse
import importlib.resources
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOOLS = ROOT / "build" / "tools" / "bin"
PYTHON = Path("protos/gen/python")
# As `buf.gen.clients.yaml` has them, below `clients`. Nothing else is kept in these folders.
TYPESCRIPT = Path("clients/typescript/src/gen")
CLIENTS = (
    Path("clients/go/batchgate"),
    TYPESCRIPT,
    Path("clients/java/src/generated/java"),
)
PACKAGE = Path("batchgate/v1")
INITS = {
    Path(
        "batchgate/__init__.py"
    ): '"""The public contract of batchgate, generated; one package a version."""\n',
    PACKAGE / "__init__.py": '"""Generated from `protos/batchgate/v1`; never edited."""\n',
    Path("batchgate/py.typed"): "",
}


def generate_python(root: Path) -> None:
    """Write Python's files below `root`, as they lie in the project."""
    target = root / PYTHON
    target.mkdir(parents=True)
    scripts = Path(sys.executable).parent
    wellknown = importlib.resources.files("grpc_tools") / "_proto"
    subprocess.run(  # noqa: S603 - our own arguments
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={HERE}",
            f"--proto_path={wellknown}",
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out={target}",
            f"--mypy_grpc_out={target}",
            *(str(proto.relative_to(HERE)) for proto in sorted((HERE / PACKAGE).glob("*.proto"))),
        ],
        check=True,
        cwd=HERE,
        stderr=subprocess.DEVNULL,
    )
    for name, text in INITS.items():
        (target / name).write_text(text)


def generate_clients(root: Path) -> None:
    """Write the other languages' files below `root`, as they lie in the project."""
    if not (TOOLS / "buf").exists():
        sys.exit("the tools are missing; install them with: bash .ci/tools")
    subprocess.run(  # noqa: S603 - our own arguments
        [
            TOOLS / "buf",
            "generate",
            "--template",
            HERE / "buf.gen.clients.yaml",
            "--output",
            root / "clients",
        ],
        check=True,
        cwd=HERE,
        env={**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"},
    )


def generate_others(root: Path) -> None:
    """Write TypeScript's files of gRPC's error details and health, which no package has.

    Python's packages have them as descriptors, without comments.
    """
    wanted = (error_details_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
    files = descriptor_pb2.FileDescriptorSet()
    for one in (duration_pb2.DESCRIPTOR, *wanted):
        one.CopyToProto(files.file.add())
    image = root / "others.binpb"
    image.write_bytes(files.SerializeToString())
    subprocess.run(  # noqa: S603 - our own arguments
        [
            TOOLS / "protoc",
            f"--plugin={TOOLS / 'protoc-gen-es'}",
            f"--descriptor_set_in={image}",
            f"--es_out={root / TYPESCRIPT}",
            "--es_opt=target=ts,import_extension=js",
            *(one.name for one in wanted),
        ],
        check=True,
    )


def contents(root: Path) -> dict[Path, bytes]:
    """All files under `root`, by relative path."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def main() -> int:
    """Generate, or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if not current")
    parser.add_argument("--clients", action="store_true", help="all languages, not Python alone")
    arguments = parser.parse_args()
    folders = (PYTHON, *CLIENTS) if arguments.clients else (PYTHON,)
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate_python(fresh)
        if arguments.clients:
            generate_clients(fresh)
            generate_others(fresh)
        wanted = {
            folder / path: text
            for folder in folders
            for path, text in contents(fresh / folder).items()
        }
    present = {
        folder / path: text for folder in folders for path, text in contents(ROOT / folder).items()
    }
    stale = sorted(
        path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )
    for path in stale:
        sys.stderr.write(f"{'not current' if arguments.check else 'written'}: {path}\n")
        if not arguments.check:
            target = ROOT / path
            if path in wanted:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wanted[path])
            else:
                target.unlink()
    if arguments.check and stale:
        sys.stderr.write("run `make protos` and commit what it writes\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
