"""Each line of the grpcurl cookbook runs, in order, in one shell; what should fail fails as it says."""

import re
import subprocess
from pathlib import Path

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from tests.test_readme import Shell, free_port, started

ROOT = Path(__file__).resolve().parents[2]
COOKBOOK = (ROOT / "clients" / "grpcurl" / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", COOKBOOK, flags=re.DOTALL)
SERVERS = re.findall(r"```\n(batchgate sandbox\n.*?)```", COOKBOOK, flags=re.DOTALL)


def script() -> str:
    """All blocks. One that begins with a reason is to fail with it."""
    parts = ["set -euo pipefail"]
    for block in BLOCKS:
        if reason := re.match(r"# ([A-Z_]+)\n", block):
            parts.append(f'told=$({{ {block} }} 2>&1) && exit 1\ngrep -q {reason[1]} <<<"$told"')
        else:
            parts.append(block)
    parts.append('test -n "$TOKEN" -a -n "$PAGE" -a -n "$OUTPUT"')
    return "\n".join(parts)


def test_every_line_runs(tmp_path: Path) -> None:
    port, provider = free_port(), free_port()
    shell = Shell(tmp_path, port=port)
    _, serve = SERVERS[0].replace("8085", str(provider)).strip().splitlines()
    environment = dict(word.split("=", 1) for word in serve.split() if "=" in word)
    environment |= {"BATCHGATE_WATCH__FIRST_POLL_SECONDS": "0.1"}
    listen = ("--listen", f"127.0.0.1:{port}")
    with (
        started("sandbox", "--listen", f"127.0.0.1:{provider}", ready="listening"),
        started("serve", *listen, ready="listening", environment=environment),
    ):
        done = shell.run(script())
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, (done.stdout[-1500:], done.stderr[-1500:])
    assert '"line_count": "5000"' in done.stdout
    assert '"code": "missing_required_parameter"' in done.stdout
    assert (tmp_path / "output.jsonl").stat().st_size > 0


def test_every_rpc_is_called() -> None:
    rpcs = {
        f"{service.full_name}/{method.name}"
        for module in (file_service_pb2, batch_service_pb2, provider_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert rpcs <= set(re.findall(r"batchgate\.v1\.\w+/\w+", "".join(BLOCKS)))
