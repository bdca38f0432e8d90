"""The admin listener: off by default, on loopback by default, and with probes."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchgate_server.application import Application
from batchgate_server.settings import ConfigurationError, load_settings
from tests.admin.conftest import OpenObserved
from tests.admin.scrape import ask
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.waiting import eventually


def problems(**admin: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={"OPENAI_API_KEY": "sk-1"}, overrides={"admin": admin})
    return [str(problem) for problem in caught.value.problems]


async def test_there_is_none_unless_it_is_asked_for(gateway: Gateway) -> None:
    assert gateway.application.admin_address == ""
    assert gateway.application.overview is None


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes(observed: Gateway, path: str) -> None:
    answer = await ask(observed, path)
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_not_ready_while_draining(account: Account, open_observed: OpenObserved) -> None:
    gateway = await open_observed()
    await account.settings(step_seconds=60)
    upload = gateway.files.UploadFile()
    await upload.write(_metadata())
    await _begun(gateway)
    stopping = asyncio.create_task(gateway.application.stop(5.0))

    async def unready() -> bool:
        return (await ask(gateway, "/readyz")).status_code == 503

    await eventually(unready)
    assert (await ask(gateway, "/livez")).status_code == 200
    assert "batchgate_draining 1.0" in (await ask(gateway, "/metrics")).text
    assert "not serving" in (await ask(gateway, "/")).text
    upload.cancel()
    await stopping
    with pytest.raises(httpx.ConnectError):
        await ask(gateway, "/livez")


def _metadata() -> Any:
    return next(upload_messages(b"", filename="a.jsonl", purpose="batch"))


async def _begun(gateway: Gateway) -> None:
    overview = gateway.application.overview
    assert overview
    await eventually(lambda: overview.recorder.running)


async def test_what_is_not_there(observed: Gateway) -> None:
    answer = await ask(observed, "/other")
    assert answer.status_code == 404
    for name in ("cache-control", "x-content-type-options"):
        assert name in answer.headers
    assert answer.headers["server"] == "batchgate"


async def test_nothing_can_be_changed_by_it(observed: Gateway) -> None:
    async with httpx.AsyncClient() as client:
        for method in ("POST", "PUT", "DELETE"):
            answer = await client.request(
                method, f"http://{observed.application.admin_address}/metrics"
            )
            assert answer.status_code == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9464", 200),
        ("[::1]:1", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("evil.example:9464", 403),
        ("10.0.0.1:9464", 403),
    ],
)
async def test_a_name_of_others_that_leads_to_loopback(
    observed: Gateway, host: str, status: int
) -> None:
    """Else a web page could read it in the browser of whoever runs the gateway."""
    assert (await ask(observed, "/metrics", host=host)).status_code == status


def test_off_loopback_only_on_purpose() -> None:
    (problem,) = problems(listen="0.0.0.0:9464")
    assert problem.startswith("admin.allow_remote: must be true where admin.listen is reachable")
    settings = load_settings(
        environment={"OPENAI_API_KEY": "sk-1"},
        overrides={"admin": {"listen": "0.0.0.0:9464", "allow_remote": True}},
    )
    assert settings.admin.listen == "0.0.0.0:9464"


async def test_off_loopback_any_name_will_do(open_observed: OpenObserved) -> None:
    gateway = await open_observed(admin={"listen": "127.0.0.1:0", "allow_remote": True})
    assert (await ask(gateway, "/livez", host="batchgate.internal")).status_code == 200


def test_an_address_that_is_none() -> None:
    (problem,) = problems(listen="9464")
    assert problem.startswith("admin.listen: must be ")


async def test_a_unix_socket(open_observed: OpenObserved, tmp_path: Path) -> None:
    gateway = await open_observed(admin={"listen": f"unix:{tmp_path}/admin.sock"})
    assert gateway.application.admin_address == f"unix:{tmp_path}/admin.sock"
    transport = httpx.AsyncHTTPTransport(uds=f"{tmp_path}/admin.sock")
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get("http://any/livez")).text == "ok\n"


async def test_an_address_in_use(account: Account, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = load_settings(
            environment={},
            overrides={
                "listen": f"unix:{tmp_path}/gateway.sock",
                "providers": profiles(account),
                "admin": {"listen": f"127.0.0.1:{port}"},
            },
        )
        application = Application(settings)
        with pytest.raises(ConfigurationError) as caught:
            await application.start()
    (problem,) = caught.value.problems
    assert str(problem) == "admin.listen: cannot be listened on: Address already in use"


async def test_another_address_needs_a_restart(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway({"providers": profiles(account), "default_provider": "openai"})
    new = gateway.application.settings.model_copy(
        update={
            "admin": gateway.application.settings.admin.model_copy(update={"listen": "[::1]:0"})
        }
    )
    (change,) = gateway.application.reload(new)
    assert change.needs_restart
    assert gateway.application.settings.admin.listen is None


async def test_the_page_has_the_settings_in_force(open_observed: OpenObserved) -> None:
    gateway = await open_observed()
    settings = gateway.application.settings
    watch = settings.watch.model_copy(update={"heartbeat_seconds": 12.25})
    gateway.application.reload(settings.model_copy(update={"watch": watch}))
    assert "12.25" in (await ask(gateway, "/")).text
