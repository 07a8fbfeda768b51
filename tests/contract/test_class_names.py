"""Names of classes over HTTP: trained with, adapted to by a caller's labels, evaluated; refused elsewhere."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from innerloop import Client
from services.storage.manifest import decode_artifact, encode_artifact
from tests.contract.conftest import Service, serving, settings, storage_at
from tests.contract.shapes import check_problem
from tests.contract.test_texts import dataset_of, draft, evaluated
from tests.contract.worker import train

pytest.importorskip("transformers")

from tests.small_encoders import WORDS, text_encoder

_BINARY = {"content-type": "application/octet-stream"}
INPUTS, ASKED = ["red", "blue", "red one", "blue two"], ["cat", "dog", "cat red"]


@pytest.fixture(scope="module")
def service(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """With a model `named`, meta-trained with the names of its classes."""
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("names") / "data")
    text_encoder(folder / "encoders" / "somebody" / "tiny")
    with serving(storage_at(folder), settings()) as service:
        job = train(service, named(service))
        assert job["status"] == "succeeded", job["error"]
        yield service


def named(service: Service, model: str = "named", **network: Any) -> dict[str, Any]:
    body = draft(dataset_of(service))
    body["model"] = model
    body["learner"]["network"] |= network
    body["tasks"]["class_names"] = True
    return body


def answered(service: Service, model: str, targets: list[Any]) -> list[list[float]]:
    body = {"model": model, "support": {"inputs": INPUTS, "targets": targets}, "inputs": ASKED}
    answer = httpx.post(f"{service.url}/v1/predictions", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    # In the order of the classes, which is that in which they were first seen.
    return [list(one["probabilities"].values()) for one in answer.json()["predictions"]]


def test_a_version_says_that_it_reads_labels(service: Service) -> None:
    version = httpx.get(f"{service.url}/v1/models/named/versions/1").json()
    text = {"datatype": "BYTES", "shape": [-1]}
    assert version["signature"] == {"inputs": text, "targets": text, "class_names": True}
    assert version["training"]["tasks"]["class_names"] is True


def test_labels_that_are_words_are_examples_and_are_not_counted(service: Service) -> None:
    support = {"inputs": INPUTS, "targets": ["a_dog", "a_cat", "a_dog", "a_cat"]}
    made = httpx.post(
        f"{service.url}/v1/adaptations", json={"model": "named", "support": support}, timeout=60
    )
    assert made.status_code == 201, made.text
    assert made.json()["n_support"] == 4
    assert made.json()["classes"] == ["a_dog", "a_cat"], "labels come back as they came"
    path = f"{service.url}/v1/adaptations/{made.json()['id']}/predictions"
    found = httpx.post(path, json={"inputs": ASKED}, timeout=60).json()["predictions"]
    at_once = answered(service, "named", support["targets"])
    for one, other in zip(found, at_once, strict=True):
        assert list(one["probabilities"].values()) == pytest.approx(other, abs=1e-5)
    swapped = answered(service, "named", ["a_cat", "a_dog", "a_cat", "a_dog"])
    assert at_once[0][1] > swapped[0][1], "a cat is likelier of the class that is called so"


def test_a_class_needs_no_example_where_its_name_is_words(service: Service) -> None:
    body: dict[str, Any] = {"model": "named", "support": {"classes": ["a_dog", "a_cat"]}}
    made = httpx.post(f"{service.url}/v1/adaptations", json=body, timeout=60)
    assert made.status_code == 201, made.text
    assert (made.json()["n_support"], made.json()["classes"]) == (0, ["a_dog", "a_cat"])
    with Client(service.url) as client:
        asked = client.adapt_and_predict("named", None, None, ["cat", "dog"], classes=["cat", "dog"])
        assert [one.label for one in asked] == ["cat", "dog"]
        some = client.adapt("named", ["red", "red one"], ["other", "other"], classes=["cat"])
        assert some.predict(["cat"])[0].label == "cat"
    nothing = httpx.post(f"{service.url}/v1/adaptations", json={**body, "support": {"classes": ["1", "2"]}})
    check_problem(nothing, 422, "/support/classes")
    episodes = {"episodes": [], "classes": ["a"]}
    check_problem(httpx.post(f"{service.url}/v1/adaptations", json={**body, "support": episodes}), 422)


def test_numbers_and_models_without_names_get_nothing(service: Service) -> None:
    """The same weights as a version without names."""
    file = httpx.get(f"{service.url}/v1/models/named/versions/1/artifact").content
    manifest, arrays = decode_artifact(file)
    signature = msgspec.structs.replace(manifest.signature, class_names=False)
    plain = encode_artifact(arrays, msgspec.structs.replace(manifest, signature=signature))
    url = f"{service.url}/v1/models/plain/versions"
    assert httpx.post(url, content=plain, headers=_BINARY, timeout=60).status_code == 201
    expected = answered(service, "plain", [17, 0, 17, 0])
    for targets in ([17, 0, 17, 0], ["17", "0", "17", "0"]):
        for one, other in zip(answered(service, "named", targets), expected, strict=True):
            assert one == pytest.approx(other, abs=1e-5)
    body = {"model": "plain", "support": {"classes": ["a_dog", "a_cat"]}}
    check_problem(httpx.post(f"{service.url}/v1/adaptations", json=body), 422, "/support/classes")
    job = train(service, {"type": "evaluation", "model": "plain@1", "episodes": 2})
    assert job["config"]["tasks"]["class_names"] is False, (
        "a version is tested as it is, whatever its record says"
    )
    words = answered(service, "named", ["a_dog", "a_cat", "a_dog", "a_cat"])
    assert words[0] != pytest.approx(expected[0], abs=1e-3)


def test_it_is_evaluated_with_names_on_its_own_classes_and_on_others(service: Service) -> None:
    own = evaluated(service, "named")
    assert own["accuracy"] > 1 / 3
    assert [row["shots"] for row in own["per_shot"]][:2] == [1, 2]
    rows = "".join(f"a {word} {other},{word}\n" for word in WORDS[4:7] for other in WORDS)
    other = httpx.post(
        f"{service.url}/v1/datasets?name=colours&inputs=text&target=intent",
        content=f"text,intent\n{rows}".encode(),
        headers={"content-type": "text/csv"},
    ).json()
    body = {"type": "evaluation", "model": "named@1", "episodes": 6, "dataset": other["id"]}
    job = train(service, body)
    assert job["status"] == "succeeded", job["error"]
    assert job["config"]["tasks"]["class_names"] is True


def test_an_encoder_is_tuned_with_names(service: Service) -> None:
    body = named(service, "tuned", tuning="lora", rank=2, layers=1)
    body["training"] |= {"iterations": 8, "meta_lr": 0.05}
    job = train(service, body)
    assert job["status"] == "succeeded", job["error"]
    words, swapped = (answered(service, "tuned", one) for one in (["dog", "cat"] * 2, ["cat", "dog"] * 2))
    assert words[0] != pytest.approx(swapped[0], abs=1e-4)


def test_only_texts_have_them(service: Service) -> None:
    rows = "".join(f"{place},{place % 3},{place % 5}\n" for place in range(60))
    numbers = httpx.post(
        f"{service.url}/v1/datasets?name=numbers&target=kind",
        content=f"one,other,kind\n{rows}".encode(),
        headers={"content-type": "text/csv"},
    ).json()
    body = {
        "model": "numbers",
        "learner": {"algorithm": {"name": "protonet"}, "network": {"name": "mlp"}},
        "tasks": {"dataset": numbers["id"], "n_way": 2, "n_query": 2, "class_names": True},
    }
    problem = check_problem(httpx.post(f"{service.url}/v1/jobs", json=body), 422)
    assert [one["pointer"] for one in problem["errors"]] == ["/tasks/class_names"]
    assert "only of texts" in problem["errors"][0]["detail"]
