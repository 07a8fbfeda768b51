"""One example of everything that the service answers, for the OpenAPI document. The figures belong together."""

from typing import Any

_TOKEN = "01k2m3n4p5q6r7s8t9v0w1x2y3"  # noqa: S105 - an example of an id
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_CREATED = "2026-11-23T08:00:00Z"
_FINISHED = "2026-11-23T08:00:45Z"

_SIGNATURE = {
    "inputs": {"datatype": "FP32", "shape": [-1, 1]},
    "targets": {"datatype": "FP32", "shape": [-1, 1]},
}
_ALGORITHM = {"name": "maml", "inner_steps": 1, "inner_lr": 0.01, "first_order": False}
_NETWORK = {"name": "mlp", "hidden": [40, 40], "activation": "relu"}
_CONFIG = {
    "learner": {"algorithm": _ALGORITHM, "network": _NETWORK},
    "tasks": {"family": "sinusoid", "n_shot": 10, "n_query": 10},
    "training": {
        "iterations": 10000,
        "meta_batch_size": 25,
        "meta_lr": 0.001,
        "schedule": "constant",
        "seed": 0,
        "test_episodes": 600,
    },
}

ADAPTATION: dict[str, Any] = {
    "object": "adaptation",
    "id": f"adp_{_TOKEN}",
    "model": {"name": "functions", "version": 3},
    "status": "ready",
    "task": "regression",
    "classes": None,
    "n_support": 4,
    "n_columns": None,
    "revision": 1,
    "support_loss": 0.0004,
    "options": {},
    "created_at": _CREATED,
    "expires_at": "2026-11-24T08:00:00Z",
    "metadata": {"customer": "42"},
}
PREDICTIONS: dict[str, Any] = {
    "object": "predictions",
    "adaptation": f"adp_{_TOKEN}",
    "revision": 1,
    "model": {"name": "functions", "version": 3},
    "predictions": [{"value": 9.98, "std": 0.11}, {"value": 11.97, "std": 0.14}],
}
ADAPT_PREDICTIONS = {**PREDICTIONS, "adaptation": None, "revision": None}
INFERENCE_SERVER: dict[str, Any] = {
    "name": "innerloop",
    "version": "0.1.0",
    "extensions": ["binary_tensor_data", "classification", "parameters"],
}
INFERENCE_METADATA: dict[str, Any] = {
    "name": f"adp_{_TOKEN}",
    "versions": ["1"],
    "platform": "innerloop_safetensors",
    "inputs": [{"name": "inputs", "datatype": "FP32", "shape": [-1, 1]}],
    "outputs": [
        {"name": "value", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "std", "datatype": "FP32", "shape": [-1, 1]},
    ],
}
INFERENCE_MODEL_READY: dict[str, Any] = {"name": f"adp_{_TOKEN}", "ready": True}
INFER: dict[str, Any] = {
    "model_name": f"adp_{_TOKEN}",
    "model_version": "1",
    "id": "q1",
    "outputs": [
        {"name": "value", "shape": [2, 1], "datatype": "FP32", "data": [9.98, 11.97]},
        {"name": "std", "shape": [2, 1], "datatype": "FP32", "data": [0.11, 0.14]},
    ],
}
MODEL: dict[str, Any] = {
    "object": "model",
    "name": "sinusoid",
    "latest_version": 3,
    "aliases": {"champion": 3},
    "created_at": _CREATED,
}
VERSION: dict[str, Any] = {
    "object": "model_version",
    "model": "sinusoid",
    "version": 3,
    "aliases": ["champion"],
    "status": "ready",
    "task": "regression",
    "signature": _SIGNATURE,
    "learner": {
        "algorithm": _ALGORITHM,
        "network": _NETWORK,
        "adjustable": ["inner_steps", "inner_lr"],
        "max_ways": None,
        "takes_fewer_columns": False,
        "normalise": False,
        "members": 1,
        "views": 1,
        "turns": 1,
    },
    "training": {"job": f"job_{_TOKEN}", **_CONFIG["training"], "tasks": _CONFIG["tasks"]},
    "metrics": {"meta_test": {"loss": 0.1}},
    "artifact": {"sha256": _SHA256, "bytes": 12345},
    "created_at": _CREATED,
}
ALIAS: dict[str, Any] = {
    "object": "alias",
    "name": "champion",
    "model": "sinusoid",
    "version": 3,
    "created_at": _CREATED,
    "updated_at": _CREATED,
}
JOB: dict[str, Any] = {
    "object": "job",
    "id": f"job_{_TOKEN}",
    "type": "meta_training",
    "status": "running",
    "model": "sinusoid",
    "config": _CONFIG,
    "progress": {"iteration": 1200, "iterations": 10000, "fraction": 0.12, "eta_seconds": 31.2},
    "metrics": {"meta_loss": 0.41},
    "result": None,
    "error": None,
    "attempts": 1,
    "publish": {"alias": "champion"},
    "created_at": _CREATED,
    "started_at": _CREATED,
    "finished_at": None,
}
QUEUED_JOB = {
    **JOB,
    "status": "queued",
    "progress": {"iteration": 0, "iterations": 10000, "fraction": 0.0, "eta_seconds": None},
    "metrics": {},
    "attempts": 0,
    "started_at": None,
}
CANCELLED_JOB = {**JOB, "status": "cancelled", "finished_at": _FINISHED}
PAUSED_JOB = {**JOB, "status": "paused"}
EVENT: dict[str, Any] = {
    "object": "job.event",
    "id": f"evt_{_TOKEN}",
    "job": f"job_{_TOKEN}",
    "sequence": 17,
    "type": "progress",
    "data": {"iteration": 1200, "iterations": 10000, "fraction": 0.12, "eta_seconds": 31.2},
    "created_at": _CREATED,
}
EVENT_STREAM = (
    f"id: evt_{_TOKEN}\nevent: progress\n"
    'data: {"object":"job.event","sequence":17,"type":"progress","data":{"iteration":1200,"iterations":10000}}\n\n'
)
CHECKPOINT: dict[str, Any] = {
    "object": "job.checkpoint",
    "id": f"ckpt_{_TOKEN}",
    "job": f"job_{_TOKEN}",
    "iteration": 1000,
    "metrics": {"meta_loss": 0.44},
    "bytes": 40960,
    "created_at": _CREATED,
}
RECIPE: dict[str, Any] = {
    "object": "recipe",
    "name": "sinusoid-maml",
    "description": "The sinusoids of Finn et al. 2017 by MAML, second order, K = 10.",
    "config": _CONFIG,
    "created_at": "2026-11-23T00:00:00Z",
    "needs": None,
    "reaches": "squared error 0.3405 / 0.1033 after 1 / 10 inner steps",
    "takes": {"cpu": "30 s", "gpu": None},
}
DATASET: dict[str, Any] = {
    "object": "dataset",
    "id": f"ds_{_TOKEN}",
    "name": "letters",
    "kind": "labelled",
    "n_examples": 19280,
    "n_classes": 964,
    "n_tasks": 30,
    "signature": {
        "inputs": {"datatype": "FP32", "shape": [-1, 28, 28, 1]},
        "targets": {"datatype": "BYTES", "shape": [-1]},
    },
    "sha256": _SHA256,
    "bytes": 2097152,
    "created_at": _CREATED,
}
LIMITS: dict[str, Any] = {
    "object": "limits",
    "body_bytes": 16777216,
    "dataset_bytes": 268435456,
    "artifact_bytes": 268435456,
    "support_examples": 4096,
    "query_examples": 16384,
    "ways": 1000,
    "input_width": 1048576,
    "call_operations": 100000000000,
    "call_bytes": 4294967296,
    "queue_depth": 1024,
    "queue_seconds": 10.0,
    "queue_share": 0.5,
}
READY: dict[str, Any] = {
    "status": "ready",
    "checks": {
        "database": {"ok": True, "detail": None},
        "engine": {"ok": True, "detail": None},
        "worker": {"ok": True, "detail": None},
    },
}
METRICS = (
    "# HELP innerloop_http_requests_total Requests answered.\n# TYPE innerloop_http_requests_total counter\n"
)


def one_page(entry: dict[str, Any]) -> dict[str, Any]:
    """A list of one entry, the last page."""
    return {"object": "list", "data": [entry], "has_more": False, "next": None}
