from dataclasses import replace

from tests.sandbox import raw
from tests.sandbox.door import Door, eventually


def test_a_request_is_recorded_without_secrets(door: Door) -> None:
    named = replace(door, headers={"OpenAI-Organization": "org-1", "X-Odd": "hidden-value"})
    named.call("GET", "/files", params={"limit": "3"})
    (seen,) = door.requests()
    assert (seen["method"], seen["status"], seen["answered"]) == ("GET", 200, True)
    assert seen["path"].endswith("/files")
    assert "limit=3" in seen["query"]
    assert {"openai-organization", "x-odd"} < set(seen["header_names"])
    assert seen["headers"]["openai-organization"] == "org-1"
    bearer = door.name in ("openai", "azure-v1")
    assert seen["credential"] == ("bearer" if bearer else "api-key")
    assert seen["sent_bytes"] > 0
    assert door.key not in str(seen)
    assert "hidden-value" not in str(seen)


def test_an_uploads_parts_are_recorded(openai: Door) -> None:
    openai.upload(b"0123456789", name='a "b" ä.jsonl')
    (seen,) = openai.requests()
    purpose, file = seen["parts"]
    assert (purpose["name"], purpose["filename"], purpose["size"]) == ("purpose", None, 5)
    assert (file["name"], file["content_type"], file["size"]) == ("file", "application/jsonl", 10)
    assert file["filename"] == "a %22b%22 ä.jsonl"
    assert file["header_names"] == ["content-disposition", "content-type"]
    assert seen["body_complete"] is True
    assert seen["received_bytes"] == int(seen["headers"]["content-length"])


def test_requests_without_credential_are_recorded_too(openai: Door) -> None:
    path = f"/v1/{openai.key}"
    openai.client.get(f"{openai.url}{path}")
    everything = openai.client.get(f"{openai.url}/_sandbox/requests").json()["requests"]
    (seen,) = (one for one in everything if one["path"] == path)
    assert (seen["credential"], seen["status"]) == (None, 401)


def test_records_are_by_account_and_can_be_forgotten(openai: Door) -> None:
    first, second = (replace(openai, key=f"{openai.key}~{number}") for number in (1, 2))
    first.call("GET", "/files")
    second.call("GET", "/batches")
    assert [len(one.requests()) for one in (openai, first, second)] == [2, 1, 1]
    place = f"{openai.url}/_sandbox/requests"
    assert openai.client.delete(place, params={"key": first.key}).json() == {"removed": 1}
    assert [one["path"] for one in openai.requests()] == ["/v1/batches"]


def test_an_upload_that_breaks_off_is_recorded_as_such(openai: Door) -> None:
    with raw.connection(openai.url) as opened:
        opened.sendall(raw.upload_head(openai.key, 1_000_000) + raw.FILE_HEAD + b"x" * 1000)
        eventually(lambda: bool(openai.requests() and openai.requests()[0]["received_bytes"]))
    eventually(lambda: bool(openai.requests()[0]["parts"]))
    (seen,) = openai.requests()
    assert (seen["body_complete"], seen["answered"], seen["aborted"]) == (False, False, True)
    assert seen["status"] is None
    assert seen["parts"][1]["size"] <= 1000


def test_connections_can_be_told_apart(openai: Door) -> None:
    for _ in range(2):
        with raw.connection(openai.url) as opened:
            for _ in range(2):
                opened.sendall(raw.get_head(openai.key, "/v1/files"))
                raw.answer(opened)
    first, second, third, fourth = (one["connection"] for one in openai.requests())
    assert first == second != third == fourth
