"""nginx as a process, with a server block put into the rest that it needs."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tools import tool

STREAM_MODULES = (
    Path("/usr/lib/nginx/modules/ngx_stream_module.so"),
    Path("/usr/lib64/nginx/modules/ngx_stream_module.so"),
)
# Its log would be opened in a system folder before the configuration names another one.
OPTIONS = ("-e", "stderr", "-g", "daemon off; error_log stderr;")
QUIET = """
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
    scgi_temp_path tmp;
"""


def stream_module() -> str:
    """The line that loads nginx's stream part; skips the test where there is none."""
    found = next((path for path in STREAM_MODULES if path.exists()), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx's stream module is needed in CI: .ci/run installs it")
        pytest.skip("nginx's stream module is not installed (libnginx-mod-stream)")
    return f"load_module {found};"


@asynccontextmanager
async def nginx(
    directory: Path, *, port: int, http: str = "", stream: str = ""
) -> AsyncIterator[None]:
    """Run nginx with one server block in its http or its stream part, until the end of the block.

    Its files are looked for in `directory`; `port` is where it will listen.
    """
    program = tool("nginx")
    lines = [f"pid {directory}/nginx.pid;", "worker_processes 1;", "events {}"]
    # Else root's workers become a user that may not look into the directory.
    lines += ["user root;"] if os.geteuid() == 0 else []
    lines += [f"http {{ {QUIET} {http} }}"] if http else []
    lines += [f"stream {{ {stream} }}"] if stream else []
    if stream:
        lines.insert(0, stream_module())
    (directory / "nginx.conf").write_text("\n".join(lines))
    process = await asyncio.create_subprocess_exec(
        *(program, "-p", str(directory), "-c", str(directory / "nginx.conf"), *OPTIONS),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    try:
        await _listening(port, process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(1000):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            if process.returncode is not None:
                break
            await asyncio.sleep(0.005)
            continue
        writer.close()
        await writer.wait_closed()
        return
    assert process.stderr
    process.kill()
    pytest.fail((await process.stderr.read()).decode())
