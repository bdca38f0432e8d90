import pytest

from tests.sandbox.door import Door, line

DAY = 86400


def test_an_uploaded_file_comes_back_whole(door: Door) -> None:
    content = 'ä "quoted"\r\n\r\nno newline at the end'.encode()
    file_id = door.file(content)
    shape = door.get(f"/files/{file_id}")
    assert (shape["bytes"], shape["filename"], shape["purpose"]) == (
        len(content),
        "in.jsonl",
        "batch",
    )
    answer = door.call("GET", f"/files/{file_id}/content")
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(content))


def test_an_empty_file_is_a_file(door: Door) -> None:
    assert door.call("GET", f"/files/{door.file(b'')}/content").content == b""


def test_a_range_is_not_honoured(door: Door) -> None:
    answer = door.call(
        "GET", f"/files/{door.file(b'0123456789')}/content", headers={"range": "bytes=2-3"}
    )
    assert (answer.status_code, answer.content) == (200, b"0123456789")


def test_creation_is_told_as_each_flavour_does(door: Door) -> None:
    door.settings(file_pending_seconds=60)
    answer = door.upload([line("a")])
    dated = door.name in ("azure-2024", "azure-2025")
    assert answer.status_code == (201 if dated else 200)
    assert ("location" in answer.headers) is dated
    if dated:
        place = answer.headers["location"]
        assert f"/openai/files/{answer.json()['id']}?api-version=" in place
    assert answer.json()["status"] == ("processed" if door.name == "openai" else "pending")


def test_a_pending_file_cannot_be_used_yet(azure: Door) -> None:
    azure.settings(file_pending_seconds=600)
    file_id = azure.upload([line("a")]).json()["id"]
    assert azure.get(f"/files/{file_id}")["status"] == "pending"
    refused = azure.create(file_id)
    assert refused.status_code == 400
    azure.settings(advance_seconds=601)
    assert azure.get(f"/files/{file_id}")["status"] == "processed"
    assert azure.create(file_id).status_code == 200


def test_deleting(door: Door) -> None:
    file_id = door.file(b"x")
    answer = door.call("DELETE", f"/files/{file_id}")
    if door.name in ("azure-2024", "azure-2025"):
        assert (answer.status_code, answer.content) == (204, b"")
    else:
        assert answer.json() == {"id": file_id, "object": "file", "deleted": True}
    for method in ("GET", "DELETE"):
        assert door.call(method, f"/files/{file_id}").status_code == 404
    assert door.get("/files")["data"] == []


def test_a_missing_file_is_told_in_the_flavours_shape(
    openai: Door, azure: Door, azure_v1: Door
) -> None:
    answer = openai.call("GET", "/files/file-x/content")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": "No such File object: file-x",
        "type": "invalid_request_error",
        "param": "id",
        "code": None,
    }
    assert azure.call("GET", "/files/file-x").json()["error"]["code"] == "notFound"
    assert azure_v1.call("GET", "/files/file-x").json()["code"] == "notFound"


@pytest.mark.parametrize("purpose", ["assistants", "user_data"])
def test_openai_does_not_give_some_purposes_back(openai: Door, purpose: str) -> None:
    file_id = openai.file(b"x", purpose=purpose)
    answer = openai.call("GET", f"/files/{file_id}/content")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == f"Not allowed to download files of purpose: {purpose}"
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", None, None)


def test_purposes_are_the_flavours_own(
    openai: Door, azure: Door, preview: Door, azure_v1: Door
) -> None:
    def taken(door: Door, purpose: str) -> bool:
        return door.upload(b"x", purpose=purpose).is_success

    assert [taken(one, "vision") for one in (openai, azure, preview, azure_v1)] == [
        True,
        False,
        False,
        False,
    ]
    assert [taken(one, "evals") for one in (openai, azure, preview, azure_v1)] == [
        True,
        False,
        True,
        True,
    ]
    assert [taken(one, "evals_output") for one in (openai, azure, preview, azure_v1)] == [
        False,
        False,
        True,
        False,
    ]


def test_parts_that_are_missing_are_named(door: Door) -> None:
    only_purpose = door.call("POST", "/files", data={"purpose": "batch"}, files={"other": b"x"})
    assert only_purpose.status_code == 400
    assert "file" in only_purpose.text
    only_file = door.call("POST", "/files", files={"file": ("a.jsonl", b"x", "text/plain")})
    assert only_file.status_code == 400
    assert "purpose" in only_file.text


def test_azure_wants_the_file_parts_content_type(door: Door) -> None:
    answer = door.upload(b"x", content_type="")
    if door.name == "openai":
        assert answer.is_success
        return
    assert answer.status_code == 400
    assert "The file has no or an empty content type specified." in answer.text
    assert "invalidPayload" in answer.text


def test_openai_wants_batch_files_to_be_named_jsonl(openai: Door, azure: Door) -> None:
    answer = openai.upload(b"x", name="in.txt")
    assert answer.status_code == 400
    message = "Invalid file format for Batch API. Must be .jsonl"
    assert answer.json()["error"]["message"] == message
    assert answer.json()["detail"] == {"message": message, "code": None}
    assert azure.upload(b"x", name="in.txt").is_success


BRACKETS = {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(20 * DAY)}
DOTS = {"expires_after.anchor": "created_at", "expires_after.seconds": str(20 * DAY)}


@pytest.mark.parametrize("fields", [BRACKETS, DOTS], ids=["brackets", "dots"])
def test_an_expiry_in_the_flavours_spelling(door: Door, fields: dict[str, str]) -> None:
    answer = door.upload(b"x", **fields)
    if door.name == "azure-2024" or (door.name == "openai" and fields is DOTS):
        assert answer.status_code == 400
        assert door.get("/files")["data"] == []
    else:
        shape = answer.json()
        assert shape["expires_at"] - shape["created_at"] == 20 * DAY


@pytest.mark.parametrize("seconds", ["3599", "2592001", "soon", ""])
def test_an_expiry_out_of_range_is_refused(door: Door, seconds: str) -> None:
    fields = {name: value if "anchor" in name else seconds for name, value in BRACKETS.items()}
    assert door.upload(b"x", **fields).status_code == 400


def test_expiry_ranges_differ(openai: Door, preview: Door, azure_v1: Door) -> None:
    an_hour = BRACKETS | {"expires_after[seconds]": "3600"}
    assert openai.upload(b"x", **an_hour).is_success
    assert preview.upload(b"x", **an_hour).status_code == 400
    assert azure_v1.upload(b"x", **an_hour).status_code == 400


def test_an_expiry_needs_its_anchor(openai: Door) -> None:
    assert openai.upload(b"x", **{"expires_after[seconds]": "3600"}).status_code == 400


def test_batch_files_expire_after_30_days_at_openai_only(openai: Door, azure_v1: Door) -> None:
    shape = openai.upload(b"x").json()
    assert shape["expires_at"] - shape["created_at"] == 30 * DAY
    assert openai.upload(b"x", purpose="evals").json()["expires_at"] is None
    assert "expires_at" not in azure_v1.upload(b"x").json()


def test_an_expired_file_is_gone(openai: Door) -> None:
    file_id = openai.upload(b"x").json()["id"]
    openai.settings(advance_seconds=30 * DAY - 60)
    assert openai.call("GET", f"/files/{file_id}").status_code == 200
    openai.settings(advance_seconds=30 * DAY)
    assert openai.call("GET", f"/files/{file_id}").status_code == 404
    assert openai.get("/files")["data"] == []


def test_listing_in_pages(door: Door) -> None:
    ids = [door.upload(b"x").json()["id"] for _ in range(5)]
    page = door.get("/files", params={"limit": "2"})
    if door.name == "azure-2024":
        assert set(page) == {"object", "data"}
        assert [one["id"] for one in page["data"]] == ids[::-1]
        return
    assert [one["id"] for one in page["data"]] == ids[:2:-1]
    rest = door.get("/files", params={"limit": "10", "after": ids[3]})
    assert [one["id"] for one in rest["data"]] == ids[2::-1]
    oldest = door.get("/files", params={"order": "asc", "limit": "1"})
    assert oldest["data"][0]["id"] == ids[0]
    if door.name == "azure-2025":
        assert set(page) == {"object", "data"}
    else:
        assert (page["has_more"], page["first_id"], page["last_id"]) == (True, ids[4], ids[3])
        assert rest["has_more"] is False


def test_listing_by_purpose(door: Door) -> None:
    door.upload(b"x")
    other = door.upload(b"x", purpose="fine-tune").json()["id"]
    found = door.get("/files", params={"purpose": "fine-tune"})["data"]
    assert [one["id"] for one in found] == [other]


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "10001"}, {"limit": "x"}, {"order": "up"}]
)
def test_nonsense_in_a_listing_is_refused(openai: Door, params: dict[str, str]) -> None:
    assert openai.call("GET", "/files", params=params).status_code == 400


def test_an_unknown_cursor(openai: Door, azure_v1: Door) -> None:
    assert openai.call("GET", "/files", params={"after": "file-x"}).status_code == 404
    assert azure_v1.call("GET", "/files", params={"after": "file-x"}).status_code == 200


def test_azures_quota_of_files_without_expiry(azure_v1: Door, openai: Door) -> None:
    azure_v1.settings(max_batch_files=2)
    for _ in range(2):
        assert azure_v1.upload(b"x").is_success
    refused = azure_v1.upload(b"x")
    assert refused.status_code == 400
    assert refused.json()["code"] == "quotaExceeded"
    assert azure_v1.upload(b"x", **DOTS).is_success
    assert azure_v1.upload(b"x", purpose="fine-tune").is_success
    assert all(openai.upload(b"x").is_success for _ in range(3))


def test_too_large_a_file_is_refused_on_the_way(door: Door) -> None:
    door.settings(max_file_bytes=1000)
    assert door.upload(b"x" * 1000).is_success
    answer = door.upload(b"x" * 1001)
    assert answer.status_code == 413
    assert len(door.get("/files")["data"]) == 1


def test_azure_checks_a_batch_files_size_at_upload(azure: Door, openai: Door) -> None:
    azure.settings(max_batch_file_bytes=10)
    assert azure.upload(b"x" * 11).status_code == 413
    file_first = [
        ("file", ("in.jsonl", b"x" * 11, "text/plain")),
        ("purpose", (None, "batch", "text/plain")),
    ]
    assert azure.call("POST", "/files", files=file_first).status_code == 413
    ended = openai.ended([line("long enough")])
    assert (ended["status"], ended["errors"]["data"][0]["code"]) == ("failed", "file_too_large")
