"""Datasets as people have them: what can be learned from is, and whatever cannot be says which part and why."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.contract.conftest import Service
from tests.contract.shapes import check_problem
from tests.contract.test_datasets import CSV, NPZ, ZIP, npz, upload, zipped
from tests.contract.worker import train

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(40, 3)).astype(np.float32)
EIGHT = np.arange(40) % 8


def _pixel(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), (number, 255 - number, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def _rows(*lines: str) -> bytes:
    return "\n".join(["w,h,kind", *lines, ""]).encode()


LEARNABLE = {
    "a class of one example": (
        npz(inputs=NUMBERS, targets=np.where(np.arange(40) == 39, 9, EIGHT)),
        NPZ,
        "mlp",
    ),
    "a constant column": (npz(inputs=NUMBERS * [1, 0, 1] + np.float32([0, 5, 0]), targets=EIGHT), NPZ, "mlp"),
    "10,000 classes": (_rows(*(f"{n % 97},{n // 2},{n // 2}" for n in range(20_000))), CSV, "mlp"),
    "labels in other scripts": (
        _rows(*(f"{n % 7},{n},{'猫犬鳥魚שлюé'[n % 8]}" for n in range(40))),
        CSV,
        "mlp",
    ),
    "images of a pixel": (
        npz(inputs=RNG.integers(0, 256, (40, 1, 1), dtype=np.uint8), targets=EIGHT),
        NPZ,
        "resnet12",
    ),
    "files of a pixel": (
        zipped(**{f"{kind}/{n}.png": _pixel(n * 8 + kind) for kind in range(8) for n in range(4)}),
        ZIP,
        "conv4",
    ),
}
_NETWORKS = {"mlp": {"hidden": [4]}, "conv4": {"hidden": 8}, "resnet12": {"width": 0.125}}


@pytest.mark.parametrize("name", LEARNABLE)
def test_what_can_be_learned_from_is(own_service: Service, name: str) -> None:
    content, media_type, network = LEARNABLE[name]
    with httpx.Client(base_url=own_service.url, timeout=60) as http:
        made = upload(http, content, media_type, **({"target": "kind"} if media_type == CSV else {}))
        assert made.status_code == 201, made.text
        dataset = made.json()
        job = train(own_service, _draft(dataset["id"], network))
        assert job["status"] == "succeeded", job["error"]
        assert np.isfinite(job["metrics"]["meta_test"]["loss"])
        shape = dataset["signature"]["inputs"]["shape"][1:]
        inputs = np.full((3, *shape), 0.5).tolist()
        body = {"model": "m", "support": {"inputs": inputs[:2], "targets": ["a", "b"]}, "inputs": inputs[2:]}
        answer = http.post("/v1/predictions", json=body)
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["predictions"]
        assert found["probabilities"] == pytest.approx(
            {"a": 0.5, "b": 0.5}, abs=1e-4
        )  # of examples all alike


def _draft(dataset: str, network: str) -> dict[str, Any]:
    return {
        "model": "m",
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": network, **_NETWORKS[network]}},
        "tasks": {"dataset": dataset, "n_way": 2, "n_shot": 1, "n_query": 1, "test_fraction": 0.5},
        "training": {"iterations": 2, "meta_batch_size": 2, "test_episodes": 3},
    }


@pytest.mark.parametrize(
    ("content", "media_type", "words"),
    [
        (_rows("1,2,a", ",3,b"), CSV, "column 'w' has no value in row 1"),
        (_rows("1,2,a", "tall,3,b"), CSV, "'tall'"),
        (_rows("1,2,a", "nan,3,b"), CSV, "finite"),
        (npz(inputs=np.float32([[1], [np.nan]]), targets=np.array([0, 1])), NPZ, "example 1"),
        (npz(inputs=np.array(["a", 1], dtype=object), targets=np.array([0, 1])), NPZ, "inputs"),
        (npz(inputs=NUMBERS, targets=np.zeros(40, int)), NPZ, "class"),
    ],
)
def test_what_is_missing_or_mixed_or_all_alike_is_named(
    http: httpx.Client, content: bytes, media_type: str, words: str
) -> None:
    answer = upload(http, content, media_type, **({"target": "kind"} if media_type == CSV else {}))
    assert words in check_problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    ("content", "network", "pointer", "words"),
    [
        (npz(inputs=NUMBERS, targets=np.arange(40)), "mlp", "/tasks/n_query", "the largest has 1"),
        (
            npz(inputs=RNG.integers(0, 256, (40, 1, 1), dtype=np.uint8), targets=EIGHT),
            "conv4",
            "/learner/network/name",
            "resnet12 takes any",
        ),
    ],
    ids=["every class has one example", "images of a pixel"],
)
def test_what_cannot_be_learned_from_is_said_before_a_job_is_made(
    http: httpx.Client, content: bytes, network: str, pointer: str, words: str
) -> None:
    dataset = upload(http, content, NPZ).json()["id"]
    problem = check_problem(http.post("/v1/jobs", json=_draft(dataset, network)), 422, pointer)
    assert words in problem["detail"]
