"""What the service answers, as JSON, for tests of its clients; and a scripted service to answer it."""

import json
from typing import Any

import httpx

NOW = "2026-01-01T00:00:00Z"


def adaptation(**changes: Any) -> dict[str, Any]:
    return {
        "object": "adaptation",
        "id": "adp_1",
        "model": {"name": "functions", "version": 2},
        "status": "ready",
        "task": "regression",
        "classes": None,
        "n_support": 4,
        "revision": 1,
        "support_loss": 0.5,
        "options": {},
        "created_at": NOW,
        "expires_at": None,
        "metadata": {},
        **changes,
    }


def predictions(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "object": "predictions",
        "adaptation": "adp_1",
        "revision": 1,
        "model": {"name": "functions", "version": 2},
        "predictions": list(rows) or [{"value": 9.9, "std": 0.1}, {"value": 12.1, "std": 0.2}],
        **changes,
    }


def job(**changes: Any) -> dict[str, Any]:
    return {
        "object": "job",
        "id": "job_1",
        "type": "meta_training",
        "status": "running",
        "model": "functions",
        "config": {"training": {"iterations": 100}},
        "progress": {"iteration": 10, "iterations": 100, "fraction": 0.1, "eta_seconds": 9.0},
        "metrics": {"meta_loss": 0.41},
        "result": None,
        "error": None,
        "attempts": 1,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": None,
        **changes,
    }


def succeeded(**changes: Any) -> dict[str, Any]:
    progress = {"iteration": 100, "iterations": 100, "fraction": 1.0, "eta_seconds": 0.0}
    result = {"model": "functions", "version": 1}
    return job(
        **{"status": "succeeded", "progress": progress, "result": result, "finished_at": NOW, **changes}
    )


def failed(**changes: Any) -> dict[str, Any]:
    error = {"code": "diverged", "message": "the loss is not finite", "fault": "user"}
    return job(**{"status": "failed", "error": error, "finished_at": NOW, **changes})


def event(sequence: int, kind: str, **data: Any) -> dict[str, Any]:
    return {
        "object": "job.event",
        "id": f"evt_{sequence}",
        "job": "job_1",
        "sequence": sequence,
        "type": kind,
        "data": data,
        "created_at": NOW,
    }


def event_stream(*events: dict[str, Any]) -> bytes:
    """The events as the service streams them, with a ping in between."""
    return b": ping\n\n".join(
        f"id: {one['sequence']}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events
    )


def version(**changes: Any) -> dict[str, Any]:
    tensor = {"datatype": "FP32", "shape": [-1, 1]}
    return {
        "object": "model_version",
        "model": "functions",
        "version": 2,
        "aliases": ["champion"],
        "status": "ready",
        "task": "regression",
        "signature": {"inputs": tensor, "targets": tensor},
        "learner": {
            "algorithm": {"name": "ridge"},
            "network": {"name": "mlp", "hidden": [40]},
            "adjustable": [],
            "max_ways": None,
            "normalise": False,
            "members": 1,
            "views": 1,
        },
        "training": {"job": "job_1", "iterations": 100},
        "metrics": {"meta_test": {"loss": 0.1}},
        "artifact": {"sha256": "ab" * 32, "bytes": 1234},
        "created_at": NOW,
        **changes,
    }


def model(**changes: Any) -> dict[str, Any]:
    return {
        "object": "model",
        "name": "functions",
        "latest_version": 2,
        "aliases": {"champion": 2},
        "created_at": NOW,
        **changes,
    }


def alias(**changes: Any) -> dict[str, Any]:
    return {
        "object": "alias",
        "name": "champion",
        "model": "functions",
        "version": 2,
        "created_at": NOW,
        "updated_at": NOW,
        **changes,
    }


def dataset(**changes: Any) -> dict[str, Any]:
    return {
        "object": "dataset",
        "id": "ds_1",
        "name": "letters",
        "kind": "images",
        "n_examples": 20,
        "n_classes": 4,
        "n_tasks": None,
        "signature": {
            "inputs": {"datatype": "FP32", "shape": [-1, 28, 28, 1]},
            "targets": {"datatype": "BYTES", "shape": [-1]},
        },
        "sha256": "cd" * 32,
        "bytes": 4321,
        "created_at": NOW,
        **changes,
    }


def recipe(**changes: Any) -> dict[str, Any]:
    config = {"learner": {}, "tasks": {"family": "functions"}, "training": {"iterations": 100}}
    return {
        "object": "recipe",
        "name": "functions",
        "description": "Lines and curves",
        "needs": None,
        "reaches": "error below 1",
        "takes": {"cpu": "30 s", "gpu": None},
        "config": config,
        "created_at": NOW,
        **changes,
    }


def listing(*items: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": cursor is not None, "next": cursor}


def problem(status: int, detail: str, **changes: Any) -> httpx.Response:
    body = {
        "type": "about:blank",
        "title": "A title",
        "status": status,
        "detail": detail,
        "request_id": "req_1",
        **changes,
    }
    headers = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps(body).encode(), headers=headers)


Answer = httpx.Response | Exception | dict[str, Any]


class Script:
    """A transport handler that gives prepared answers in turn (the last one for ever) and keeps the requests.

    A dict is a 200 with that JSON; an exception is raised as if the network had.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        return self._next(request)

    async def asynchronous(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(await request.aread())
        return self._next(request)

    def _next(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return httpx.Response(200, json=answer)
        # A response object is used up by being read: each request gets its own.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def document(self, index: int = -1) -> dict[str, Any]:
        """The JSON of a request's body, without the bytes that may follow it."""
        length = self.requests[index].headers.get("Inference-Header-Content-Length")
        body = self.bodies[index]
        document: dict[str, Any] = json.loads(body[: int(length)] if length else body)
        return document
