"""Datasets over HTTP: the four kinds of file, the same file twice, and files that mean harm."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from app.few import Few
from innerloop.schemas.datasets import DatasetResponse
from tests import small_models
from tests.contract.conftest import Service
from tests.contract.shapes import check_list, check_problem

ZIP = "application/zip"
NPZ = "application/x-npz"
PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"


def upload(http: httpx.Client, content: bytes, media_type: str, **query: Any) -> httpx.Response:
    return http.post(
        "/v1/datasets", params={"name": "d", **query}, content=content, headers={"Content-Type": media_type}
    )


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def picture(shade: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), shade).save(buffer, "PNG")
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


PICTURES = zipped(**{f"{name}/{shade}.png": picture(shade) for name in "ab" for shade in (10, 200)})


@pytest.mark.parametrize(
    ("content", "media_type", "query", "expected"),
    [
        (PICTURES, ZIP, {}, {"n_examples": 4, "n_classes": 2, "n_tasks": None}),
        (
            npz(inputs=np.float32([[1, 2], [3, 4]]), targets=np.array([5, 6]), tasks=np.array(["x", "y"])),
            NPZ,
            {},
            {"n_examples": 2, "n_classes": 2, "n_tasks": 2},
        ),
        (
            parquet(w=[1.0, 2.0], h=[3.0, 4.0], kind=["a", "b"], who=["x", "x"]),
            PARQUET,
            {"inputs": "w,h", "target": "kind", "task": "who"},
            {"n_examples": 2, "n_classes": 2, "n_tasks": 1},
        ),
        (
            b"w,h,kind\n1,2,a\n3,4,b\n",
            f"{CSV}; charset=utf-8",
            {"inputs": ["w", "h"], "target": "kind"},
            {"n_examples": 2, "n_classes": 2, "n_tasks": None},
        ),
    ],
    ids=["zip", "npz", "parquet", "csv"],
)
def test_every_kind_of_file_is_read(
    http: httpx.Client, content: bytes, media_type: str, query: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = upload(http, content, media_type, **query)
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    DatasetResponse.model_validate_json(answer.content)
    assert dataset["object"] == "dataset"
    assert dataset["id"].startswith("ds_")
    assert expected.items() <= dataset.items()
    assert dataset["kind"] == "labelled"
    assert (dataset["sha256"], dataset["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert answer.headers["location"] == f"/v1/datasets/{dataset['id']}"
    again = upload(http, content, media_type, **{**query, "name": "other"})
    assert (again.status_code, again.json()) == (200, dataset)
    got = http.get(f"/v1/datasets/{dataset['id']}")
    assert got.json() == dataset
    unchanged = http.get(f"/v1/datasets/{dataset['id']}", headers={"If-None-Match": got.headers["etag"]})
    assert unchanged.status_code == 304
    assert dataset in check_list(http.get("/v1/datasets?limit=100"))
    assert http.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
    check_problem(http.get(f"/v1/datasets/{dataset['id']}"), 404)


def test_a_dataset_that_a_job_needs_stays(http: httpx.Client) -> None:
    letters = zipped(
        **{f"{name}/{shade}.png": picture(shade, side=16) for name in "abcdefgh" for shade in (10, 200)}
    )
    dataset = upload(http, letters, ZIP, name="needed").json()["id"]
    body = {
        "model": "letters",
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 8}},
        "tasks": {"dataset": dataset, "n_way": 2, "n_shot": 1, "n_query": 1, "test_fraction": 0.5},
    }
    job = http.post("/v1/jobs", json=body)
    assert job.status_code == 202, job.text
    check_problem(http.delete(f"/v1/datasets/{dataset}"), 409)
    http.post(f"/v1/jobs/{job.json()['id']}/cancel")
    assert http.delete(f"/v1/datasets/{dataset}").status_code == 204


BOMB = zipped(**{"a/b.png": bytes(20_000_000)})


@pytest.mark.parametrize(
    ("content", "media_type", "query", "status"),
    [
        (zipped(**{"../../evil.png": picture(1)}), ZIP, {}, {422}),
        (zipped(**{"/etc/evil.png": picture(1)}), ZIP, {}, {422}),
        (BOMB, ZIP, {}, {413, 422}),
        (zipped(**{"a/b.png": b"\x89PNG\r\n\x1a\n123"}), ZIP, {}, {422}),
        (zipped(**{"a/b.png": picture(1)[:40]}), ZIP, {}, {422}),
        (zipped(), ZIP, {}, {422}),
        (b"hello", ZIP, {}, {422}),
        (b"hello", NPZ, {}, {422}),
        (b"hello", PARQUET, {"target": "x"}, {422}),
        (PICTURES[:-30], ZIP, {}, {422}),
        (npz(inputs=np.array([{"a": 1}], dtype=object), targets=np.array([0])), NPZ, {}, {422}),
        (npz(inputs=np.float32([[np.nan]]), targets=np.array([0])), NPZ, {}, {422}),
        (npz(inputs=np.float32([[1], [2]]), targets=np.array([0])), NPZ, {}, {422}),
        (npz(targets=np.array([0])), NPZ, {}, {422}),
        (b"a,b\n1,x\n2\n", CSV, {"target": "b"}, {422}),
        (b"a,b\n1,x\n", CSV, {"target": "nope"}, {422}),
        (b"a,b\nnope,x\n", CSV, {"target": "b"}, {422}),
        (b"", CSV, {"target": "b"}, {400, 422}),
        (b" " * ((2 << 20) + 1), ZIP, {}, {413}),
        (b"{}", "application/json", {}, {415}),
        (PICTURES, "multipart/form-data; boundary=x", {}, {415}),
        (PICTURES, ZIP, {"name": ""}, {422}),
        (PICTURES, ZIP, {"name": "x" * 200}, {422}),
        (PICTURES, ZIP, {"name": "a\0b"}, {422}),
    ],
)
def test_a_faulty_file_is_refused_and_leaves_nothing(
    http: httpx.Client,
    service: Service,
    content: bytes,
    media_type: str,
    query: dict[str, Any],
    status: set[int],
) -> None:
    def stored() -> list[Path]:
        return sorted(path for path in service.storage.artifacts_path.rglob("*") if path.is_file())

    before, listed = stored(), check_list(http.get("/v1/datasets?limit=100"))
    answer = upload(http, content, media_type, **query)
    assert answer.status_code in status, answer.text
    check_problem(answer, answer.status_code)
    assert stored() == before
    assert check_list(http.get("/v1/datasets?limit=100")) == listed


def test_a_dataset_needs_a_name(http: httpx.Client) -> None:
    check_problem(http.post("/v1/datasets", content=PICTURES, headers={"Content-Type": ZIP}), 422)


def test_an_endless_file_is_refused_while_it_comes(http: httpx.Client) -> None:
    def endless() -> Any:
        for _ in range(128):
            yield bytes(65536)

    answer = http.post("/v1/datasets?name=d", content=endless(), headers={"Content-Type": ZIP})
    check_problem(answer, 413)


def test_files_beyond_those_in_turn_are_told_to_come_again(own_service: Service) -> None:
    line = npz(inputs=[[1.0], [2.0]], targets=[0, 1])
    version = small_models.regression_ridge()
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        for path, content, media_type in (
            ("/v1/datasets?name=d", line, NPZ),
            ("/v1/models/m/versions", version, "application/octet-stream"),
        ):
            own_service.app.state.files = Few(at_once=0, waiting=0)
            headers = {"Content-Type": media_type, "Idempotency-Key": "turn"}
            refused = http.post(path, content=content, headers=headers)
            check_problem(refused, 503)
            assert int(refused.headers["retry-after"]) >= 1
            assert http.get("/v1/models").status_code == 200
            own_service.app.state.files = Few(at_once=1, waiting=0)
            for _ in range(2):
                assert http.post(path, content=content, headers=headers).status_code == 201
