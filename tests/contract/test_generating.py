"""What the documents say of other languages works: `buf generate` in a copy of `protos`, with buf and protoc alone."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "clients" / "README.md").read_text()


def test_buf_generate_needs_nothing_but_buf_and_protoc(tmp_path: Path) -> None:
    for name in ("buf", "protoc", "node"):
        tool(name)
    shutil.copytree(ROOT / "protos", tmp_path / "protos", ignore=shutil.ignore_patterns("gen"))
    path = tmp_path / "bin"
    path.mkdir()
    # buf is a program of Node's by the way it is installed here.
    for name in ("buf", "protoc", "node"):
        (path / name).symlink_to(tool(name))
    section = README.partition("## Another language")[2]
    (commands,) = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    done = subprocess.run(
        ["/bin/bash", "-euc", commands],
        cwd=tmp_path,
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {file.name for file in (tmp_path / "protos" / "generated").rglob("*") if file.is_file()}
    assert {"batch_service.pb.cc", "BatchService.cs", "BatchResult.php"} <= made
    assert any(name.endswith("_pb.rb") for name in made)
