"""Under /v2 a problem leaves as that protocol's error, whole; everything else leaves as it is."""

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import Message

from app.inference_dialect import error_text, in_dialect, speaks_inference
from app.problems import Problem
from services.errors import Fault


async def sent(path: str, response: Response) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await response({"type": "http"}, receive, in_dialect(path, send))
    return messages


def headers_of(message: Message) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in message["headers"]}


@pytest.mark.parametrize(
    ("path", "inference"),
    [("/v2", True), ("/v2/", True), ("/v2/models/x", True), ("/v20", False), ("/v1/v2", False), ("/", False)],
)
def test_the_path_alone_decides(path: str, inference: bool) -> None:
    assert speaks_inference(path) == inference
    problem = Problem(404, "nothing", "req_1")
    _, body = asyncio.run(sent(path, problem))
    if inference:
        assert json.loads(body["body"]) == {"error": "nothing"}
    else:
        assert body["body"] == problem.body


@pytest.mark.parametrize(("status", "told"), [(400, 400), (404, 404), (413, 413), (422, 400), (500, 500)])
def test_an_error_keeps_its_headers_and_its_status_but_for_422(status: int, told: int) -> None:
    problem = Problem(status, "what happened", "req_1", headers={"Retry-After": "3"})
    start, *bodies = asyncio.run(sent("/v2/models/x", problem))
    headers = headers_of(start)
    assert start["status"] == told
    assert headers["content-type"] == "application/json"
    assert headers["retry-after"] == "3"
    assert b"".join(part["body"] for part in bodies) == b'{"error": "what happened"}'
    assert headers["content-length"] == str(len(b'{"error": "what happened"}'))
    assert not bodies[-1].get("more_body", False)


def test_an_answer_that_is_no_problem_is_left_alone() -> None:
    response = Response(b'{"a":1}', 200, media_type="application/json")
    assert asyncio.run(sent("/v2", response)) == asyncio.run(sent("/v1", response))


@pytest.mark.parametrize(
    ("detail", "faults", "text"),
    [
        ("gone", [], "gone"),
        ("too many", [Fault("/inputs/0", "too many")], "/inputs/0: too many"),
        ("/id: a string", [Fault("/id", "a string")], "/id: a string"),
        ("not valid", [Fault("/a/1", "odd"), Fault("/b", "even")], "not valid: /a/1: odd"),
        ("whole", [Fault("", "whole")], "whole"),
    ],
)
def test_the_text_names_the_place(detail: str, faults: list[Fault], text: str) -> None:
    problem: dict[str, Any] = json.loads(bytes(Problem(422, detail, None, faults).body))
    assert error_text(problem) == text
