"""The README's walk through TLS and callers, pasted block by block."""

import json
import re
from pathlib import Path

from tests.test_readme import Shell, blocks, free_port, started

SERVE = re.compile(r"^((?:\w+=\S+ )+)batchgate (serve .*)$", re.MULTILINE)


def test_secure_it(tmp_path: Path) -> None:
    port, provider = free_port(), free_port()
    shell = Shell(tmp_path, port=port)
    shell.words |= {
        "localhost:50051": f"localhost:{port}",
        "127.0.0.1:8085": f"127.0.0.1:{provider}",
    }
    made, *_ = (block for block in blocks("TLS", "sh") if "openssl" in block)
    begin, configuration, serve, definitions, *calls = blocks("Secure it", "sh")
    for block in (made, begin, configuration):
        assert shell.run(block).returncode == 0
    found = SERVE.search(serve)
    assert found
    environment = dict(word.split("=") for word in found[1].split())
    config = str(tmp_path / "secure.toml")
    refused = []
    with (
        started("sandbox", "--listen", f"127.0.0.1:{provider}", ready="listening"),
        started(
            "serve", "--config", config, ready="listening", cwd=tmp_path, environment=environment
        ),
    ):
        for block in calls:
            done = shell.run(definitions + block)
            reason = re.match(r"# ([A-Z_]+)\n", block)
            if reason:
                refused.append(reason[1])
                assert done.returncode != 0
                assert f'"reason": "{reason[1]}"' in done.stderr
            else:
                assert done.returncode == 0, done.stderr
                if "ListProviders" in block:
                    assert re.findall(r'"name": "(.*)"', done.stdout) == ["azure-eu", "azure-us"]
    assert len(refused) == 6
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    told = [one["reason"] for one in records if one["event"] == "call" and one["reason"]]
    assert told == refused
    token = re.findall("bg_.*", (tmp_path / "team-a.txt").read_text())[0]
    assert token not in json.dumps(records)
