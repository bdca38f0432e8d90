from dataclasses import replace

import pytest

from tests.sandbox.door import Door, line


def test_openai_refuses_the_key_invalid_and_shows_only_its_ends(openai: Door) -> None:
    answer = replace(openai, key="invalid").call("GET", "/files")
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert error["type"] == "invalid_request_error"
    assert error["param"] is None
    assert error["message"].startswith("Incorrect API key provided: inva***lid.")


def test_openai_asks_for_a_missing_key(openai: Door) -> None:
    answer = openai.call("GET", "/files", headers={"authorization": "Basic abc"})
    assert answer.status_code == 401
    assert "You didn't provide an API key" in answer.json()["error"]["message"]


def test_azure_refuses_a_key(azure: Door, preview: Door) -> None:
    for door in (azure, preview):
        answer = replace(door, key="invalid").call("POST", "/batches", json={})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "401"


def test_azure_refuses_a_token_in_another_shape(azure_v1: Door) -> None:
    answer = replace(azure_v1, key="invalid").call("GET", "/batches")
    assert answer.status_code == 401
    assert answer.json()["statusCode"] == 401
    assert answer.json()["message"].startswith("Unauthorized. Access token is missing")


def test_azure_refuses_no_credential(azure: Door) -> None:
    answer = azure.call("GET", "/files", headers={"api-key": ""})
    assert answer.status_code == 401


def test_every_answer_has_a_request_id(door: Door) -> None:
    name = "x-request-id" if door.name == "openai" else "apim-request-id"
    for path in ("/files", "/files/file-none", "/nowhere"):
        assert door.call("GET", path).headers[name]


@pytest.mark.parametrize(
    ("given", "good"), [(b"x" * 512, True), (b"x" * 513, False), (b"\xe4", False)]
)
def test_openai_checks_the_callers_request_id(
    openai: Door, azure: Door, given: bytes, good: bool
) -> None:
    both = {"authorization": f"Bearer {openai.key}", "api-key": azure.key}
    headers = [(name.encode(), value.encode()) for name, value in both.items()]
    headers.append((b"x-client-request-id", given))
    dated = "/openai/files?api-version=2024-10-21"
    for path, wanted in (("/v1/files", good), (dated, True)):
        assert openai.client.get(f"{openai.url}{path}", headers=headers).is_success is wanted


def test_accounts_do_not_see_each_other(door: Door) -> None:
    file_id = door.file([line("a")])
    assert replace(door, key=door.key + "x").call("GET", f"/files/{file_id}").status_code == 404
    assert door.call("GET", f"/files/{file_id}").status_code == 200


def test_providers_do_not_see_each_other(openai: Door, azure: Door) -> None:
    assert azure.call("GET", f"/files/{openai.file([line('a')])}").status_code == 404


def test_tokens_that_differ_behind_a_tilde_are_one_account(door: Door) -> None:
    file_id = replace(door, key=f"{door.key}~1").file([line("a")])
    renewed = replace(door, key=f"{door.key}~2")
    assert renewed.call("GET", f"/files/{file_id}").status_code == 200


@pytest.mark.parametrize("version", ["", "2023-05-15"])
def test_azure_without_a_known_version_is_no_resource(azure: Door, version: str) -> None:
    answer = azure.call("GET", "/files", params={"api-version": version})
    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "404", "message": "Resource not found"}}


def test_azure_v1_takes_its_own_versions_only(azure_v1: Door) -> None:
    for version in ("v1", "preview"):
        answer = azure_v1.call("GET", "/files", params={"api-version": version})
        assert answer.status_code == 200
    refused = azure_v1.call("GET", "/files", params={"api-version": "2024-10-21"})
    assert refused.status_code == 400


def test_an_unknown_path_is_refused_in_the_flavours_words(door: Door) -> None:
    answer = door.call("POST", "/uploads")
    assert answer.status_code == 404
    wanted = "Invalid URL (POST /v1/uploads)" if door.name == "openai" else "Resource not found"
    assert answer.json()["error"]["message"] == wanted


def test_a_wrong_method_is_405(door: Door) -> None:
    assert door.call("PUT", "/files").status_code == 405
