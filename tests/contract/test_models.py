"""The registry over HTTP: versions, artifacts, aliases without races, deletion that breaks nothing."""

import hashlib
import json
from typing import Any

import httpx
import msgspec
import pytest

from innerloop.schemas.models import AliasResponse, ModelResponse, ModelVersionResponse
from models.spec import Conv4Spec, MamlSpec, Signature, TensorSpec
from services.storage.manifest import decode_artifact, encode_artifact, read_manifest
from tests import small_models
from tests.contract.adaptations import LINE, adapt
from tests.contract.conftest import Service
from tests.contract.shapes import check_list, check_problem

FILE = {"Content-Type": "application/octet-stream"}


def put_alias(http: httpx.Client, alias: str, version: int, **headers: str) -> httpx.Response:
    return http.put(f"/v1/models/few-ways/aliases/{alias}", json={"version": version}, headers=headers)


def import_version(http: httpx.Client, model: str, artifact: bytes, query: str = "") -> httpx.Response:
    return http.post(f"/v1/models/{model}/versions{query}", content=artifact, headers=FILE)


def test_a_version_has_every_field(http: httpx.Client) -> None:
    answer = http.get("/v1/models/steps/versions/1")
    version = answer.json()
    ModelVersionResponse.model_validate_json(answer.content)
    assert version["object"] == "model_version"
    assert (version["model"], version["version"], version["status"]) == ("steps", 1, "ready")
    assert version["signature"] == {
        "inputs": {"datatype": "FP32", "shape": [-1, 1]},
        "targets": {"datatype": "FP32", "shape": [-1, 1]},
    }
    assert version["learner"]["algorithm"]["name"] == "maml"
    assert version["learner"]["network"] == {"name": "mlp", "hidden": [8], "activation": "relu"}
    assert version["learner"]["adjustable"] == ["inner_steps", "inner_lr"]
    assert len(version["artifact"]["sha256"]) == 64
    again = http.get("/v1/models/steps/versions/1", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_models_are_listed_with_their_true_aliases(http: httpx.Client) -> None:
    models = {one["name"]: one for one in check_list(http.get("/v1/models?limit=100"))}
    assert models["line"]["aliases"]["champion"] == 1
    answer = http.get("/v1/models/line")
    ModelResponse.model_validate_json(answer.content)
    assert answer.json() == models["line"]
    assert "champion" in http.get("/v1/models/line/versions/1").json()["aliases"]


def test_a_version_goes_out_as_a_file_and_comes_back_in(http: httpx.Client) -> None:
    version = http.get("/v1/models/steps/versions/1").json()
    download = http.get("/v1/models/steps/versions/1/artifact")
    assert download.status_code == 200
    assert hashlib.sha256(download.content).hexdigest() == version["artifact"]["sha256"]
    assert len(download.content) == version["artifact"]["bytes"]
    assert download.headers["etag"] == f'"{version["artifact"]["sha256"]}"'
    assert 'filename="steps-1.safetensors"' in download.headers["content-disposition"]
    assert read_manifest(download.content).learner.algorithm.inner_steps == 1
    answer = import_version(http, "copy", download.content, "?alias=champion")
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/v1/models/copy/versions/1"
    assert answer.headers["etag"] == http.get("/v1/models/copy/versions/1").headers["etag"]
    assert answer.json()["artifact"] == version["artifact"]
    assert answer.json()["aliases"] == ["champion"]
    assert adapt(http, model="copy@champion")["model"] == {"name": "copy", "version": 1}
    assert import_version(http, "copy", download.content).json()["version"] == 2


@pytest.mark.parametrize(
    ("model", "artifact", "status"),
    [
        ("bad", b"hello", 422),
        ("bad", b"", 422),
        ("bad", small_models.regression_ridge()[:-4], 422),
        ("bad", small_models.regression_ridge().replace(b"mean", b"meen"), 422),
        ("bad!", small_models.regression_ridge(), 404),
        ("bad", b"x" * ((1 << 20) + 1), 413),
    ],
    ids=["no file", "empty", "cut off", "other weights", "bad name", "too large"],
)
def test_a_file_that_is_no_version_is_refused_and_leaves_nothing(
    http: httpx.Client, service: Service, model: str, artifact: bytes, status: int
) -> None:
    folder = service.storage.artifacts_path
    before = sorted(folder.rglob("*"))
    check_problem(import_version(http, model, artifact), status)
    check_problem(http.get(f"/v1/models/{model}"), 404)
    assert [path for path in sorted(folder.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


def test_a_version_whose_smallest_task_costs_too_much_is_refused(http: httpx.Client) -> None:
    large = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, 512, 512, 1)), targets=small_models.LABELS
    )
    dear = small_models.artifact(MamlSpec(inner_steps=200), large, Conv4Spec(hidden=32), max_ways=2)
    assert "multiply-adds" in check_problem(import_version(http, "dear", dear), 422)["detail"]
    check_problem(http.get("/v1/models/dear"), 404)


def test_a_record_that_could_not_be_answered_is_refused_and_poisons_nothing(http: httpx.Client) -> None:
    manifest, params = decode_artifact(small_models.regression_ridge())

    def with_metrics(**metrics: Any) -> bytes:
        return encode_artifact(params, msgspec.structs.replace(manifest, metrics=metrics))

    deep = json.loads("[" * 259 + "]" * 259)
    check_problem(import_version(http, "deep", with_metrics(deep=deep)), 422)
    check_problem(http.get("/v1/models/deep"), 404)
    odd = {"large": 10**400, "text": "a\0\u2028\U0001f600", "deep": json.loads("[" * 31 + "]" * 31)}
    made = import_version(http, "deep", with_metrics(**odd))
    assert made.status_code == 201, made.text
    (listed,) = check_list(http.get("/v1/models/deep/versions"))
    assert listed == made.json()
    assert listed["metrics"] == odd
    ModelVersionResponse.model_validate_json(made.content)


def test_an_import_of_another_media_type_is_415(http: httpx.Client) -> None:
    answer = http.post("/v1/models/bad/versions", json={})
    check_problem(answer, 415)


def test_aliases_move_without_races(http: httpx.Client) -> None:
    made = put_alias(http, "canary", 1)
    AliasResponse.model_validate_json(made.content)
    assert (made.status_code, made.json()["version"], made.headers["etag"]) == (200, 1, '"1"')
    check_problem(put_alias(http, "canary", 1, **{"If-None-Match": "*"}), 412)
    check_problem(put_alias(http, "canary", 1, **{"If-Match": '"2"'}), 412)
    check_problem(put_alias(http, "absent", 1, **{"If-Match": '"1"'}), 412)
    second = import_version(http, "few-ways", small_models.points_maml()).json()["version"]
    moved = put_alias(http, "canary", second, **{"If-Match": '"1"'})
    assert (moved.json()["version"], moved.headers["etag"]) == (second, '"2"')
    got = http.get("/v1/models/few-ways/aliases/canary")
    assert got.json() == moved.json()
    assert http.get("/v1/models/few-ways/aliases/canary", headers={"If-None-Match": '"2"'}).status_code == 304
    check_problem(http.delete("/v1/models/few-ways/aliases/canary", headers={"If-Match": '"1"'}), 412)
    assert http.delete("/v1/models/few-ways/aliases/canary", headers={"If-Match": "*"}).status_code == 204
    check_problem(http.get("/v1/models/few-ways/aliases/canary"), 404)
    assert http.delete(f"/v1/models/few-ways/versions/{second}").status_code == 204


def test_an_alias_that_is_made_anew_is_not_taken_for_the_one_before(http: httpx.Client) -> None:
    import_version(http, "anew", small_models.regression_ridge())
    import_version(http, "anew", small_models.regression_ridge())
    path = "/v1/models/anew/aliases/prod"
    seen = http.put(path, json={"version": 1}).headers["etag"]
    assert http.delete(path).status_code == 204
    assert http.put(path, json={"version": 2}).headers["etag"] != seen
    assert http.get(path, headers={"If-None-Match": seen}).status_code == 200
    check_problem(http.put(path, json={"version": 1}, headers={"If-Match": seen}), 412)


def test_if_match_of_any_revision_demands_that_there_is_one(http: httpx.Client) -> None:
    for tags in ("*", '"1", "2"'):
        check_problem(put_alias(http, "absent", 1, **{"If-Match": tags}), 412)
    nowhere = http.put("/v1/models/nope/aliases/x", json={"version": 1}, headers={"If-Match": "*"})
    check_problem(nowhere, 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": 0},
        {"version": "1"},
        {"version": True},
        {"version": 99},
        {"version": 2**63},
        [],
        {"version": 1, "x": 1},
    ],
)
def test_a_faulty_alias_is_422(http: httpx.Client, body: object) -> None:
    check_problem(http.put("/v1/models/few-ways/aliases/faulty", json=body), 422)
    check_problem(http.get("/v1/models/few-ways/aliases/faulty"), 404)


def test_an_alias_is_no_number_and_needs_a_model(http: httpx.Client) -> None:
    check_problem(put_alias(http, "3", 1), 422)
    check_problem(http.put("/v1/models/nope/aliases/x", json={"version": 1}), 404)


def test_a_version_in_use_stays(http: httpx.Client) -> None:
    import_version(http, "used", small_models.regression_ridge(), "?alias=champion")
    check_problem(http.delete("/v1/models/used/versions/1"), 409)
    http.delete("/v1/models/used/aliases/champion")
    made = http.post("/v1/adaptations", json={"model": "used", "support": LINE}).json()
    assert check_problem(http.delete("/v1/models/used/versions/1"), 409)
    http.delete(f"/v1/adaptations/{made['id']}")
    assert http.delete("/v1/models/used/versions/1").status_code == 204
    check_problem(http.get("/v1/models/used/versions/1"), 404)
    check_problem(http.get("/v1/models/used/versions/1/artifact"), 404)
    assert http.get("/v1/models/used").json()["latest_version"] is None
    assert import_version(http, "used", small_models.regression_ridge()).json()["version"] == 2
