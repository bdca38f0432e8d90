import json
import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from batchgate_sandbox.server import SandboxServer, sandbox_in_thread
from tests.sandbox import raw
from tests.sandbox.door import Door, Json, eventually, line

MEGABYTE = 1 << 20


def test_an_answer_is_given_so_many_times(door: Door) -> None:
    door.fault("answer", status=429, times=2, headers={"Retry-After": "3"})
    for _ in range(2):
        answer = door.call("GET", "/files")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert answer.json()["error"]["code"] == "429"
    assert door.call("GET", "/files").status_code == 200


def test_a_body_is_answered_as_it_is_or_as_json(openai: Door) -> None:
    openai.fault("answer", status=502, body="<html>", headers={"content-type": "text/html"})
    openai.fault("answer", status=200, body={"object": "list", "data": []})
    openai.fault("answer", status=204)
    html = openai.call("GET", "/files")
    assert (html.text, html.headers["content-type"]) == ("<html>", "text/html")
    assert openai.call("GET", "/files").json() == {"object": "list", "data": []}
    assert openai.call("GET", "/files").content == b""


def test_a_redirect(openai: Door) -> None:
    openai.fault("answer", status=302, headers={"location": "http://elsewhere.test/x"}, body="")
    answer = openai.call("GET", "/files/file-1/content")
    assert answer.headers["location"] == "http://elsewhere.test/x"


def test_what_a_fault_matches(openai: Door) -> None:
    openai.fault("answer", status=500, method="post", path="/v1/batches")
    openai.fault("answer", status=501, path="/v1/files/*/content")
    openai.fault("answer", status=502, path_regex="/v1/files/[a-z]+")
    openai.fault("answer", status=503, path="/v1/batches/*", skip=1)
    assert openai.call("GET", "/batches").status_code == 200
    assert openai.call("GET", "/files/f1").status_code == 404
    assert openai.call("GET", "/batches/b1").status_code == 404
    assert openai.call("GET", "/batches/b1").status_code == 503
    assert openai.call("GET", "/files/abc").status_code == 502
    assert openai.call("GET", "/files/f1/content").status_code == 501
    assert openai.call("POST", "/batches").status_code == 500


def test_a_fault_is_for_one_key_or_for_one_token_of_it(openai: Door) -> None:
    first, second = (replace(openai, key=f"{openai.key}~{number}") for number in (1, 2))
    first.fault("answer", status=401, times=None)
    assert [one.call("GET", "/files").status_code for one in (first, second, first)] == [
        401,
        200,
        401,
    ]
    openai.fault("answer", status=503)
    assert second.call("GET", "/files").status_code == 503
    other = replace(openai, key=f"{openai.key}-other")
    openai.fault("answer", status=503)
    assert other.call("GET", "/files").status_code == 200


def test_faults_are_listed_and_taken_back(openai: Door) -> None:
    place, params = f"{openai.url}/_sandbox/faults", {"key": openai.key}
    given = [{"kind": "hang", "key": openai.key}, {"kind": "cut", "key": openai.key}]
    answer = openai.client.post(place, json=given)
    assert [one["kind"] for one in answer.json()["faults"]] == ["hang", "cut"]
    listed = openai.client.get(place, params=params)
    assert [one["kind"] for one in listed.json()["faults"]] == ["hang", "cut"]
    assert openai.key not in listed.text + answer.text
    assert openai.client.delete(place, params=params).json() == {"removed": 2}
    assert openai.call("GET", "/files").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"kind": "explode"},
        {"kind": "answer", "statu": 200},
        {"kind": "answer", "status": 99},
        {"kind": "answer", "status": True},
        {"kind": "answer", "times": 0},
        {"kind": "answer", "headers": {"a": 1}},
        {"kind": "answer", "path_regex": "("},
        {"kind": "answer", "delay": "1"},
        {"kind": "slow_read"},
        {"kind": "slow_send", "bytes_per_second": 0},
        "hang",
        7,
    ],
    ids=json.dumps,
)
def test_a_fault_that_makes_no_sense_is_refused(openai: Door, given: object) -> None:
    answer = openai.client.post(f"{openai.url}/_sandbox/faults", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_reset(door: Door) -> None:
    door.fault("reset")
    with pytest.raises(httpx.ReadError, match="reset"):
        door.call("GET", "/files")
    assert door.call("GET", "/files").status_code == 200


def test_a_reset_in_the_middle_of_the_body(openai: Door) -> None:
    openai.fault("reset", read_bytes=300_000)
    with raw.connection(openai.url) as opened:
        opened.sendall(raw.upload_head(openai.key, 50 * MEGABYTE) + raw.FILE_HEAD)
        with pytest.raises(ConnectionError):
            raw.pour(opened, 50)
    (seen,) = openai.requests()
    assert seen["fault"] == "reset"
    assert seen["body_complete"] is False
    assert 300_000 <= seen["received_bytes"] < 2 * MEGABYTE
    assert openai.get("/files")["data"] == []


def test_an_answer_that_is_lost_after_the_work(openai: Door) -> None:
    openai.fault("reset", method="POST", path="/v1/batches", process=True)
    with pytest.raises(httpx.ReadError):
        openai.create(openai.file([line("a")]))
    (batch,) = openai.get("/batches")["data"]
    assert openai.wait(batch["id"])["status"] == "completed"


def test_an_early_answer_reads_no_more(openai: Door) -> None:
    openai.fault("early", status=413, read_bytes=65536, hold=1)
    with raw.connection(openai.url) as opened:
        opened.sendall(raw.upload_head(openai.key, 500 * MEGABYTE) + raw.FILE_HEAD)
        opened.settimeout(0.2)
        with pytest.raises(TimeoutError):  # nobody reads, so the sender gets stuck
            raw.pour(opened, 500)
        assert raw.answer(opened)[0] == 413
    (seen,) = openai.requests()
    assert seen["status"] == 413
    assert 65536 <= seen["received_bytes"] < MEGABYTE


def test_a_401_before_the_body_is_the_default_early_answer(openai: Door) -> None:
    openai.fault("early", read_bytes=0, hold=0)
    # A client of its own: the sandbox ends the connection right after its answer, and the next
    # test must not get it out of the pool before that is seen.
    with httpx.Client() as client:
        assert replace(openai, client=client).upload([line("a")]).status_code == 401


def test_an_answer_is_cut_off(door: Door) -> None:
    file_id = door.file(b"x" * 100_000)
    door.fault("cut", path="*/content", send_bytes=60_000)
    with (
        pytest.raises(httpx.RemoteProtocolError, match="60000 bytes, expected 100000"),
        httpx.Client() as client,
    ):
        replace(door, client=client).call("GET", f"/files/{file_id}/content")
    assert door.call("GET", f"/files/{file_id}/content").status_code == 200


def test_a_long_answer_is_cut_off_at_half(openai: Door) -> None:
    file_id = openai.file(b"x" * 3_000_000)
    openai.fault("cut", path="*/content")
    with pytest.raises(httpx.RemoteProtocolError, match="1500000 bytes, expected 3000000"):
        openai.call("GET", f"/files/{file_id}/content")


def test_a_given_answer_is_cut_off_at_half(openai: Door) -> None:
    openai.fault("cut", status=200, body="0123456789")
    with pytest.raises(httpx.RemoteProtocolError, match="5 bytes, expected 10"):
        openai.call("GET", "/files")


def test_a_request_that_hangs(door: Door) -> None:
    door.fault("hang")
    with httpx.Client(timeout=0.1) as client, pytest.raises(httpx.ReadTimeout):
        replace(door, client=client).call("GET", "/files")
    assert door.call("GET", "/files").status_code == 200


def test_a_request_that_hangs_after_its_work(openai: Door) -> None:
    openai.fault("hang", method="POST", process=True)
    with httpx.Client(timeout=0.2) as client, pytest.raises(httpx.ReadTimeout):
        replace(openai, client=client).upload([line("a")])
    assert len(openai.get("/files")["data"]) == 1


def test_a_request_that_hangs_and_is_not_read(openai: Door) -> None:
    openai.fault("hang", read_bytes=0, hold=0.1)
    with raw.connection(openai.url) as opened:
        opened.sendall(raw.upload_head(openai.key, 100 * MEGABYTE))
        with pytest.raises(ConnectionError):
            raw.pour(opened, 100)


def test_a_delay(openai: Door) -> None:
    openai.fault("delay", delay=0.2)
    start = time.monotonic()
    assert openai.call("GET", "/files").status_code == 200
    assert time.monotonic() - start >= 0.2


def test_a_kept_alive_connection_is_reset_later(openai: Door) -> None:
    openai.fault("answer", status=400, reset_after=0.05)
    openai.fault("delay", reset_after=0.05)
    for status in (400, 200):
        with raw.connection(openai.url) as opened:
            opened.sendall(raw.get_head(openai.key, "/v1/files"))
            assert raw.answer(opened)[0] == status
            with pytest.raises(ConnectionResetError):
                opened.recv(1)


def test_an_upload_read_slowly_holds_its_sender_back(openai: Door) -> None:
    openai.fault("slow_read", bytes_per_second=40 * MEGABYTE)
    body = b"x" * (20 * MEGABYTE)
    start = time.monotonic()
    with raw.connection(openai.url) as opened:
        length = len(raw.FILE_HEAD) + len(body) + len(raw.FILE_TAIL)
        opened.sendall(raw.upload_head(openai.key, length) + raw.FILE_HEAD)
        opened.sendall(body)
        sent_after = time.monotonic() - start
        opened.sendall(raw.FILE_TAIL)
        assert raw.answer(opened)[0] == 200
    assert time.monotonic() - start >= 0.45
    # All but what the sockets' buffers hold had to wait for the reader.
    assert sent_after >= 0.2


def test_a_content_sent_slowly(openai: Door) -> None:
    file_id = openai.file(b"x" * 100_000)
    openai.fault("slow_send", path="*/content", bytes_per_second=400_000)
    start = time.monotonic()
    assert openai.call("GET", f"/files/{file_id}/content").content == b"x" * 100_000
    assert time.monotonic() - start >= 0.2


def test_a_shutdown_is_not_held_up(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Hanging requests, unfinished uploads and running batches end with the sandbox."""

    def ask(door: Door, outcomes: list[str]) -> None:
        try:
            door.call("GET", "/files")
        except httpx.TransportError as exc:
            outcomes.append(type(exc).__name__)

    outcomes: list[str] = []
    with ExitStack() as held:
        with sandbox_in_thread(step=60) as sandbox:
            door = Door(sandbox.url, "k", "openai", client)
            door.batch([line("a")])
            opened = held.enter_context(raw.connection(sandbox.url))
            opened.sendall(raw.upload_head("k", 1000) + raw.FILE_HEAD)
            eventually(lambda: door.requests()[-1]["received_bytes"] == len(raw.FILE_HEAD))
            door.fault("hang", method="GET", times=None)
            threads = [threading.Thread(target=ask, args=(door, outcomes)) for _ in range(2)]
            for one in threads:
                one.start()
            eventually(lambda: [one["fault"] for one in door.requests()].count("hang") == 2)
            start = time.monotonic()
        assert time.monotonic() - start < 1.5
    for one in threads:
        one.join()
    assert len(outcomes) == 2
    assert not caplog.records


def test_settings_that_make_no_sense_are_refused(sandbox: SandboxServer, openai: Door) -> None:
    place = f"{sandbox.url}/_sandbox/settings"
    key = {"key": openai.key}

    def status(params: dict[str, str], body: object) -> int:
        return openai.client.patch(place, params=params, json=body).status_code

    good: Json = {"step_seconds": 1}
    assert status({}, good) == 400
    assert status(key | {"provider": "aws"}, good) == 400
    assert status(key, []) == 400
    for wrong in (
        {"steps": 1},
        {"slices": 1.5},
        {"slices": None},
        {"step_seconds": True},
        {"max_tasks": -1},
    ):
        assert status(key, wrong) == 400
    assert openai.client.patch(place, params=key, content=b"{").status_code == 400
    assert status(key | {"provider": "azure"}, {"max_tasks": None, "slices": 2}) == 200


def test_the_sandbox_says_that_it_is_there(openai: Door) -> None:
    assert openai.client.get(f"{openai.url}/_sandbox/health").json() == {"status": "ok"}
