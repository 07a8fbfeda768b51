"""What every answer has to look like, whatever it is about."""

from typing import Any

import httpx


def check_problem(answer: httpx.Response, status: int, pointer: str | None = None) -> dict[str, Any]:
    """An error as the contract has it; the problem itself."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:innerloop:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    if status == 422:
        assert problem["errors"], problem
        assert all(fault["detail"] for fault in problem["errors"])
    if pointer is None:
        return problem
    assert pointer in [fault["pointer"] for fault in problem["errors"]], problem
    return problem


def check_inference_error(answer: httpx.Response, status: int) -> str:
    """An error as the Open Inference Protocol has it; its text."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "content-encoding" not in answer.headers
    assert answer.headers["x-request-id"]
    error: dict[str, Any] = answer.json()
    assert list(error) == ["error"]
    assert isinstance(error["error"], str)
    assert error["error"]
    return error["error"]


def check_list(answer: httpx.Response) -> list[dict[str, Any]]:
    """A page as the contract has it; its entries."""
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["object"] == "list"
    assert page["has_more"] == (page["next"] is not None)
    return list(page["data"])
