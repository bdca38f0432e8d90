"""What a gateway asks of the system for itself."""

import resource

import psutil

from tests.process.conftest import Start


async def test_it_takes_all_open_files_and_leaves_no_core_dump(start: Start) -> None:
    """Also where it is started with little: shells allow 1,024 open files."""
    files, core = (
        resource.getrlimit(resource.RLIMIT_NOFILE),
        resource.getrlimit(resource.RLIMIT_CORE),
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, files[1]), files[1]))
    try:
        process = psutil.Process((await start()).process.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
    assert process.rlimit(psutil.RLIMIT_NOFILE) == (files[1], files[1])
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, core[1])


async def test_it_says_so_where_the_system_allows_too_few_files(start: Start) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    gateway = await start(BATCHGATE_SERVER__MAX_CONNECTIONS=str(files[1]))
    gateway.process.terminate()
    code, output = await gateway.end()
    assert code == 0
    assert "the system allows too few open files for all connections" in output
