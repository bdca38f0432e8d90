import json
from typing import Any

import pytest

from tests.sandbox.door import Door, Json, eventually, line

DAY = 86400
FAILING = {"fail": 429}


def test_a_batch_goes_through_its_life(door: Door) -> None:
    door.settings(step_seconds=0.04)
    batch = door.batch([line(f"c{index}") for index in range(8)])
    assert (batch["status"], batch["request_counts"]["total"]) == ("validating", 0)
    seen: list[tuple[str, int]] = []

    def look() -> bool:
        shape = door.get(f"/batches/{batch['id']}")
        now = (shape["status"], shape["request_counts"]["completed"])
        if now not in seen:
            seen.append(now)
        return bool(now[0] == "completed")

    eventually(look)
    assert list(dict(seen)) == ["validating", "in_progress", "finalizing", "completed"]
    assert len([status for status, _ in seen if status == "in_progress"]) >= 3
    ended = door.get(f"/batches/{batch['id']}")
    times = [ended[f"{name}_at"] for name in ("created", "in_progress", "finalizing", "completed")]
    assert times == sorted(times)
    assert ended["expires_at"] == ended["created_at"] + DAY
    assert ended["request_counts"] == {"total": 8, "completed": 8, "failed": 0}
    assert len(door.lines(ended["output_file_id"])) == 8


def test_creation_has_the_flavours_status(
    openai: Door, azure: Door, preview: Door, azure_v1: Door
) -> None:
    answers = [one.create(one.file([line("a")])) for one in (openai, azure, preview, azure_v1)]
    assert [one.status_code for one in answers] == [200, 200, 201, 201]


def test_what_is_not_there_yet_is_null_or_empty(door: Door) -> None:
    batch = door.batch([line("a")])
    unset = None if door.name == "openai" else ""
    assert (batch["output_file_id"], batch["error_file_id"]) == (unset, unset)
    assert (batch["errors"], batch["metadata"], batch["completed_at"]) == (None, None, None)
    assert ("input_blob" in batch) is (door.name == "azure-2025")


def test_model_and_usage_are_told_where_they_are(door: Door) -> None:
    ended = door.ended([line("a", "x" * 40), line("b", "x" * 40)])
    if door.name in ("azure-2024", "azure-2025"):
        assert "model" not in ended
        assert "usage" not in ended
        return
    assert ended["model"] == "gpt-4.1-mini"
    usage = ended["usage"]
    assert usage["input_tokens"] == 20
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_lines_of_openai(openai: Door) -> None:
    ended = openai.ended([line("gut ä", "hi"), line("bad", sandbox=FAILING)])
    (good,) = openai.lines(ended["output_file_id"])
    assert good["id"].startswith("batch_req_")
    assert (good["custom_id"], good["error"], good["response"]["status_code"]) == (
        "gut ä",
        None,
        200,
    )
    assert good["response"]["body"]["choices"][0]["message"]["content"] == "Echo: hi"
    (bad,) = openai.lines(ended["error_file_id"])
    assert (bad["custom_id"], bad["error"], bad["response"]["status_code"]) == ("bad", None, 429)
    assert set(bad["response"]["body"]["error"]) == {"message", "type", "param", "code"}
    assert ended["request_counts"] == {"total": 2, "completed": 1, "failed": 1}


def test_the_lines_of_azure(azure: Door) -> None:
    ended = azure.ended([line("a"), line("b", sandbox={"error": "boom"})])
    (good,) = azure.lines(ended["output_file_id"])
    assert set(good) == {"custom_id", "response", "error"}
    body = good["response"]["body"]
    assert body["choices"][0]["content_filter_results"]["hate"]["filtered"] is False
    assert body["prompt_filter_results"][0]["prompt_index"] == 0
    (bad,) = azure.lines(ended["error_file_id"])
    assert set(bad) == {"custom_id", "response", "error"}
    assert (bad["response"], bad["error"]["code"]) == (None, "boom")


def test_openai_names_only_files_that_hold_something(openai: Door) -> None:
    assert openai.ended([line("a")])["error_file_id"] is None
    all_failed = openai.ended([line("a", sandbox=FAILING)])
    assert (all_failed["status"], all_failed["output_file_id"]) == ("completed", None)
    assert len(openai.lines(all_failed["error_file_id"])) == 1


def test_azure_always_has_an_error_file(azure: Door) -> None:
    ended = azure.ended([line("a")])
    assert azure.get(f"/files/{ended['error_file_id']}")["bytes"] == 0
    assert azure.lines(ended["error_file_id"]) == []
    all_failed = azure.ended([line("a", sandbox=FAILING)])
    assert (all_failed["status"], all_failed["output_file_id"]) == ("completed", "")


def test_result_files_are_files(door: Door) -> None:
    ended = door.ended([line("a")])
    shape = door.get(f"/files/{ended['output_file_id']}")
    assert (shape["purpose"], shape["status"]) == ("batch_output", "processed")
    assert shape["filename"] == f"{ended['id']}_output.jsonl"
    lifetime = 30 * DAY if door.name == "openai" else None
    assert (shape.get("expires_at") or None) == (lifetime and shape["created_at"] + lifetime)


def test_every_input_line_form_is_taken(door: Door) -> None:
    big = line("big", "x" * 1_000_000)
    raw = b"\r\n".join(json.dumps(one).encode() for one in (line("a"), big, line("😀 ü")))
    ended = door.ended(b"\n\r\n" + raw + b"\n\n")
    assert ended["request_counts"]["completed"] == 3
    rows = {one["custom_id"]: one for one in door.lines(ended["output_file_id"])}
    assert set(rows) == {"a", "big", "😀 ü"}
    content = rows["big"]["response"]["body"]["choices"][0]["message"]["content"]
    assert len(content) == 1_000_006


def test_half_a_surrogate_pair_survives(openai: Door) -> None:
    raw = json.dumps(line("half \ud83d")).encode()
    (row,) = openai.lines(openai.ended(raw)["output_file_id"])
    assert row["custom_id"] == "half \ud83d"


def test_output_is_not_in_the_inputs_order(openai: Door) -> None:
    ids = [f"c{index:03}" for index in range(40)]
    ended = openai.ended([line(one) for one in ids])
    found = [one["custom_id"] for one in openai.lines(ended["output_file_id"])]
    assert found != ids
    assert sorted(found) == ids


def test_more_lines_than_are_held_at_once(openai: Door) -> None:
    openai.settings(slices=1)
    ended = openai.ended([line(f"c{index}") for index in range(1200)])
    assert ended["request_counts"]["completed"] == 1200
    assert len({one["custom_id"] for one in openai.lines(ended["output_file_id"])}) == 1200


# ---------------------------------------------------------------------- validation

TWICE = [line("a"), line("a")]


@pytest.mark.parametrize(
    ("content", "code", "param", "number"),
    [
        (b"", "empty_file", None, None),
        (b"\n\n", "empty_file", None, None),
        (b"{}\n{not json}", "invalid_json_line", None, 2),
        (b"[]", "invalid_json_line", None, 1),
        (b'{"custom_id": NaN}', "invalid_json_line", None, 1),
        (b'{"custom_id": "\xff"}', "invalid_json_line", None, 1),
        (b"[" * 100_000, "invalid_json_line", None, 1),
        ([line("x"), {"custom_id": "a"}], "missing_required_parameter", "method", 2),
        ([line("a") | {"body": 1}], "missing_required_parameter", "body.model", 1),
        ([line("a", model="")], "missing_required_parameter", "body.model", 1),
        ([line("x"), *TWICE], "duplicate_custom_id", "custom_id", 3),
        ([line("a", url="/v1/embeddings")], "url_mismatch", "url", 1),
        ([line("a", url=1)], "url_mismatch", "url", 1),
        ([line("a", method="GET")], "invalid_method", "method", 1),
        ([line("a"), line("b", model="other")], "model_mismatch", "body.model", 2),
        ([line("a", model="no-such-model")], "model_not_found", "body.model", 1),
    ],
)
def test_a_bad_file_fails_the_batch(
    door: Door, content: Any, code: str, param: str | None, number: int | None
) -> None:
    ended = door.ended(content)
    assert ended["status"] == "failed"
    assert ended["failed_at"] is not None
    assert ended["errors"]["object"] == "list"
    problem = next(one for one in ended["errors"]["data"] if one["code"] == code)
    assert problem["param"] == param
    shown = str(number) if number and door.name in ("azure-2024", "azure-2025") else number
    assert problem["line"] == shown
    assert problem["message"]


def test_too_many_lines(door: Door) -> None:
    door.settings(max_tasks=3)
    lines = [line(f"c{index}") for index in range(4)]
    assert door.ended(lines)["errors"]["data"][-1]["code"] == "too_many_tasks"
    assert door.ended(lines[:3])["status"] == "completed"


def test_only_so_many_problems_are_told(openai: Door) -> None:
    ended = openai.ended(b"x\n" * 500)
    assert len(ended["errors"]["data"]) == 100


def test_a_byte_order_mark(openai: Door, azure: Door) -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(line("a")).encode()
    (problem,) = openai.ended(raw)["errors"]["data"]
    assert problem["code"] == "invalid_json_line"
    (problem,) = azure.ended(raw)["errors"]["data"]
    assert "valid model deployment name couldn't be extracted" in problem["message"]


def test_azure_takes_urls_with_and_without_v1(azure: Door, openai: Door) -> None:
    bare = line("a", url="/chat/completions")
    assert azure.ended([bare, line("b")])["status"] == "completed"
    assert azure.ended([line("b")], endpoint="/chat/completions")["status"] == "completed"
    assert openai.ended([bare])["errors"]["data"][0]["code"] == "url_mismatch"


# ---------------------------------------------------------------------- creation


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "/v1/nothing"},
        {"endpoint": None},
        {"completion_window": "1h"},
        {"completion_window": ""},
        {"input_file_id": None},
        {"input_file_id": 7},
        {"input_file_id": "file-none"},
        {"metadata": []},
        {"metadata": {str(index): "x" for index in range(17)}},
        {"metadata": {"k" * 65: "x"}},
        {"metadata": {"k": "x" * 513}},
        {"metadata": {"k": 1}},
        {"output_expires_after": {"anchor": "created_at", "seconds": 3599}},
        {"output_expires_after": {"anchor": "now", "seconds": 20 * DAY}},
        {"output_expires_after": {"anchor": "created_at", "seconds": True}},
        {"output_expires_after": 20 * DAY},
    ],
    ids=repr,
)
def test_a_bad_creation_is_refused(door: Door, changes: Json) -> None:
    assert door.create(door.file([line("a")]), **changes).status_code == 400
    assert door.get("/batches")["data"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b" " * 1_100_000])
def test_a_body_that_is_no_object_is_refused(door: Door, body: bytes) -> None:
    assert door.call("POST", "/batches", content=body).status_code == 400


def test_metadata_within_the_limits_comes_back(door: Door) -> None:
    metadata = {"k" * 63 + hex(index)[-1]: "x" * 512 for index in range(16)}
    batch = door.batch([line("a")], metadata=metadata)
    assert batch["metadata"] == metadata
    assert door.batch([line("b")], metadata={})["metadata"] == {}


def test_only_batch_files_can_be_input(door: Door) -> None:
    file_id = door.file([line("a")], purpose="fine-tune")
    assert door.create(file_id).status_code == 400


def test_output_expires_when_asked(door: Door) -> None:
    policy = {"anchor": "created_at", "seconds": 15 * DAY}
    answer = door.create(door.file([line("a")]), output_expires_after=policy)
    if door.name == "azure-2024":
        assert answer.status_code == 400
        return
    ended = door.wait(answer.json()["id"])
    shape = door.get(f"/files/{ended['output_file_id']}")
    assert shape["expires_at"] - shape["created_at"] == 15 * DAY


def test_the_queue_is_full(openai: Door, azure: Door) -> None:
    wanted = {"metadata": {"sandbox_outcome": "token_limit_exceeded"}}
    ended = openai.ended([line("a")], **wanted)
    assert (ended["status"], ended["errors"]["data"][0]["code"]) == (
        "failed",
        "token_limit_exceeded",
    )
    refused = azure.create(azure.file([line("a")]), **wanted)
    assert refused.status_code == 400
    assert "token_limit_exceeded" in refused.text


def test_a_batch_that_is_asked_to_fail(openai: Door) -> None:
    ended = openai.ended([line("a")], metadata={"sandbox_outcome": "failed"})
    assert (ended["status"], ended["request_counts"]["total"]) == ("failed", 0)


# ---------------------------------------------------------------------- listing


def test_listing_newest_first_in_pages(door: Door) -> None:
    file_id = door.file([line("a")])
    ids = [door.create(file_id).json()["id"] for _ in range(3)]
    page = door.get("/batches", params={"limit": "2"})
    assert [one["id"] for one in page["data"]] == [ids[2], ids[1]]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, ids[2], ids[1])
    rest = door.get("/batches", params={"limit": "2", "after": ids[1]})
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([ids[0]], False)


def test_an_unknown_cursor_is_refused_or_ignored(openai: Door, azure: Door) -> None:
    assert openai.call("GET", "/batches", params={"after": "batch_x"}).status_code == 404
    assert azure.get("/batches", params={"after": "batch_x"})["data"] == []


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x"])
def test_a_limit_out_of_range_is_refused(door: Door, limit: str) -> None:
    assert door.call("GET", "/batches", params={"limit": limit}).status_code == 400


def test_a_filter_is_not_silently_ignored(preview: Door) -> None:
    assert preview.call("GET", "/batches", params={"$filter": "x"}).status_code == 400


def test_a_missing_batch(openai: Door, azure: Door) -> None:
    for method, path in (("GET", "/batches/batch_x"), ("POST", "/batches/batch_x/cancel")):
        assert (
            openai.call(method, path).json()["error"]["message"]
            == "No batch found with id 'batch_x'."
        )
        assert azure.call(method, path).json()["error"]["code"] == "notFound"


# ---------------------------------------------------------------------- other ends


def test_cancelling_keeps_what_was_answered(door: Door) -> None:
    door.settings(step_seconds=0.05)
    lines = [line(f"c{index}") for index in range(3)] + [
        line("c3", sandbox={"batch": "stall"}),
        line("c4"),
    ]
    batch = door.batch(lines)
    eventually(lambda: door.get(f"/batches/{batch['id']}")["request_counts"]["completed"] == 3)
    answer = door.call("POST", f"/batches/{batch['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelling")
    assert door.call("POST", f"/batches/{batch['id']}/cancel").status_code == 200
    ended = door.wait(batch["id"])
    assert ended["status"] == "cancelled"
    assert ended["cancelled_at"] >= ended["cancelling_at"] >= ended["in_progress_at"]
    found = {one["custom_id"] for one in door.lines(ended["output_file_id"])}
    assert found == {"c0", "c1", "c2"}
    assert ended["request_counts"] == {"total": 5, "completed": 3, "failed": 0}
    assert ended["error_file_id"] == (None if door.name == "openai" else "")


@pytest.mark.parametrize("status", ["validating", "in_progress"])
def test_cancelling_at_any_moment(openai: Door, status: str) -> None:
    openai.settings(step_seconds=0.05)
    batch = openai.batch([line("a"), line("b")])
    openai.wait(batch["id"], status)
    assert openai.call("POST", f"/batches/{batch['id']}/cancel").status_code == 200
    assert openai.wait(batch["id"])["status"] == "cancelled"


def test_cancelling_what_has_ended_is_a_conflict(door: Door) -> None:
    ended = door.ended([line("a")])
    answer = door.call("POST", f"/batches/{ended['id']}/cancel")
    assert answer.status_code == 409
    assert "Cannot cancel a batch with status 'completed'." in answer.text
    assert door.get(f"/batches/{ended['id']}") == ended


def test_expiring_at_half(door: Door) -> None:
    lines = [line(f"c{index}") for index in range(6)]
    ended = door.ended(lines, metadata={"sandbox_outcome": "expired"})
    assert ended["status"] == "expired"
    assert ended["expired_at"] is not None
    assert len(door.lines(ended["output_file_id"])) == 3
    errors = door.lines(ended["error_file_id"])
    assert {one["custom_id"] for one in errors} == {"c3", "c4", "c5"}
    assert all(one["response"] is None for one in errors)
    assert {one["error"]["code"] for one in errors} == {"batch_expired"}
    assert ended["request_counts"] == {"total": 6, "completed": 3, "failed": 3}


def test_expiring_at_a_line(openai: Door) -> None:
    lines = [line("a"), line("b", sandbox={"batch": "expire"}), line("c")]
    ended = openai.ended(lines)
    assert ended["status"] == "expired"
    assert [one["custom_id"] for one in openai.lines(ended["output_file_id"])] == ["a"]
    assert len(openai.lines(ended["error_file_id"])) == 2


def test_stalling_until_cancelled(openai: Door) -> None:
    openai.settings(step_seconds=0.001)
    batch = openai.batch([line("a"), line("b")], metadata={"sandbox_outcome": "stalled"})
    eventually(lambda: openai.get(f"/batches/{batch['id']}")["request_counts"]["completed"] == 1)
    for _ in range(20):  # many more steps than a batch that does not stall would take
        assert openai.get(f"/batches/{batch['id']}")["status"] == "in_progress"
    openai.call("POST", f"/batches/{batch['id']}/cancel")
    assert openai.wait(batch["id"])["status"] == "cancelled"


def test_deleting_the_input_does_not_harm_a_running_batch(door: Door) -> None:
    file_id = door.file([line("a")])
    batch_id = door.create(file_id).json()["id"]
    door.call("DELETE", f"/files/{file_id}")
    assert door.wait(batch_id)["status"] == "completed"


# ---------------------------------------------------------------------- what lines ask for


def test_a_line_fails_so_many_times(openai: Door, azure: Door) -> None:
    lines = [line("a", sandbox={"fail": 500, "times": 2}), line("b")]
    failed = [openai.ended(lines)["request_counts"]["failed"] for _ in range(3)]
    assert failed == [1, 1, 0]
    assert azure.ended(lines)["request_counts"]["failed"] == 1


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("sandbox-fail-503", 503, None),
        ("sandbox-error-batch_expired", None, "batch_expired"),
        ("sandbox-fail-429-times-1", 429, None),
    ],
)
def test_a_models_name_asks_for_a_failure(
    openai: Door, model: str, status: int | None, code: str | None
) -> None:
    ended = openai.ended([line("a", model=model), line("b", model=model)])
    rows = openai.lines(ended["error_file_id"])
    assert len(rows) == 2
    for row in rows:
        assert (row["response"] and row["response"]["status_code"]) == status
        assert (row["error"] and row["error"]["code"]) == code


def test_a_line_says_what_is_replied(openai: Door) -> None:
    ended = openai.ended([line("a", sandbox={"reply": "42"}), line("b", sandbox={"fail": "x"})])
    rows = {one["custom_id"]: one for one in openai.lines(ended["output_file_id"])}
    assert rows["a"]["response"]["body"]["choices"][0]["message"]["content"] == "42"
    assert set(rows) == {"a", "b"}


def test_a_line_says_how_long_the_reply_is(openai: Door) -> None:
    asked = {"reply": "ä 行 🚀", "reply_length": 1_000_000}
    ended = openai.ended([line("a", sandbox=asked), line("b", sandbox={"reply_length": -1})])
    rows = {one["custom_id"]: one for one in openai.lines(ended["output_file_id"])}
    said = {
        name: row["response"]["body"]["choices"][0]["message"]["content"]
        for name, row in rows.items()
    }
    assert len(said["a"]) == 1_000_000
    assert said["a"].startswith("0 ä 行 🚀 1 ä 行 🚀 2 ")
    assert said["b"] == ""


def test_an_endpoint_without_a_shape_of_its_own_gets_a_general_one(openai: Door) -> None:
    request = line("a", url="/v1/moderations") | {"body": {"model": "m", "input": ["x", {"y": 1}]}}
    ended = openai.ended([request], endpoint="/v1/moderations")
    (row,) = openai.lines(ended["output_file_id"])
    body = row["response"]["body"]
    assert body["object"] == "sandbox.echo"
    assert body["data"] == [{"text": 'Echo: x {"y": 1}'}]


def test_the_same_line_gets_the_same_answer(openai: Door) -> None:
    def answer() -> Json:
        (row,) = openai.lines(openai.ended([line("a", "same")])["output_file_id"])
        body: Json = row["response"]["body"]
        del body["created"]
        return body

    assert answer() == answer()


def test_a_defect_of_the_sandbox_fails_the_batch(
    openai: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("batchgate_sandbox.lifecycle.answer", broken)
    ended = openai.ended([line("a")])
    assert (ended["status"], ended["errors"]["data"][0]["code"]) == ("failed", "server_error")
    assert "ZeroDivisionError" in caplog.text
