"""Texts from the upload to the answer: a dataset, a job on a pretrained encoder, adaptations, predictions."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from innerloop import Client
from tests.contract.conftest import Service, serving, settings, storage_at
from tests.contract.shapes import check_problem
from tests.contract.worker import train

pytest.importorskip("transformers")

from tests.small_encoders import WIDTH, WORDS, text_encoder

_BINARY = {"content-type": "application/octet-stream"}
SUPPORT = {"inputs": ["cat cat", "dog", "cat", "dog dog"], "targets": ["meow", "woof", "meow", "woof"]}


@pytest.fixture(scope="module")
def service(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("texts") / "data")
    text_encoder(folder / "encoders" / "somebody" / "tiny")
    with serving(storage_at(folder), settings()) as service:
        yield service


@pytest.fixture(scope="module")
def trained(service: Service) -> Service:
    """With a model `intents`, meta-trained on an uploaded table."""
    train(service, draft(dataset_of(service)))
    return service


@pytest.fixture
def texts(trained: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=trained.url, timeout=60) as http:
        yield http


def dataset_of(service: Service) -> dict[str, Any]:
    rows = [f"{word} {other}" for word in WORDS for other in WORDS[:6]]
    table = "text,intent\n" + "".join(f"{row},{row.split()[0]}\n" for row in rows)
    answer = httpx.post(
        f"{service.url}/v1/datasets?name=words&inputs=text&target=intent",
        content=table.encode(),
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def draft(dataset: dict[str, Any], **learner: Any) -> dict[str, Any]:
    return {
        "model": "intents",
        "learner": {"network": {"name": "encoder", "encoder": "somebody/tiny"}, **learner},
        "tasks": {"dataset": dataset["id"], "n_way": 3, "n_shot": 2, "n_query": 2},
        "training": {"iterations": 4, "meta_batch_size": 2, "test_episodes": 4},
    }


def evaluated(service: Service, model: str) -> dict[str, Any]:
    """The report of a model's only version on what it was not trained on."""
    job = train(service, {"type": "evaluation", "model": f"{model}@1", "episodes": 6})
    assert job["status"] == "succeeded", job["error"]
    return dict(job["metrics"])


def test_a_table_of_texts_is_a_dataset(service: Service) -> None:
    dataset = dataset_of(service)
    assert (dataset["kind"], dataset["n_examples"], dataset["n_classes"]) == ("labelled", 60, 10)


def test_without_an_algorithm_an_encoder_has_the_default_head(texts: httpx.Client) -> None:
    version = texts.get("/v1/models/intents/versions/1").json()
    assert version["signature"]["inputs"] == {"datatype": "BYTES", "shape": [-1]}
    learner = version["learner"]
    assert learner["algorithm"]["name"] == "auto"
    assert learner["algorithm"]["escalate"] == "never"
    assert learner["adjustable"] == ["escalate"]
    assert learner["network"]["width"] == WIDTH
    assert len(learner["network"]["sha256"]) == 64
    assert version["metrics"]["meta_test"]["accuracy"] > 1 / 3
    # What was learned, and nothing of the encoder.
    assert version["artifact"]["bytes"] < 4096


def test_texts_are_adapted_to_and_predicted(texts: httpx.Client) -> None:
    made = texts.post("/v1/adaptations", json={"model": "intents", "support": SUPPORT})
    assert made.status_code == 201, made.text
    assert made.json()["classes"] == ["meow", "woof"]
    path = f"/v1/adaptations/{made.json()['id']}/predictions"
    answer = texts.post(path, json={"inputs": ["cat", "dog", "cat", "dog dog"]})
    assert answer.status_code == 200, answer.text
    found = [one["label"] for one in answer.json()["predictions"]]
    assert found == ["meow", "woof", "meow", "woof"]


def test_a_caller_may_have_the_encoder_tuned_where_that_pays(texts: httpx.Client) -> None:
    inputs = [f"{word} {other}" for word in ("cat", "dog") for other in WORDS[:6]]
    support = {"inputs": inputs, "targets": ["meow"] * 6 + ["woof"] * 6}
    body = {"model": "intents", "support": support, "options": {"escalate": "lora"}}
    made = texts.post("/v1/adaptations", json=body)
    assert made.status_code == 201, made.text
    told = made.json()["escalation"]
    assert told["encoder"] in ("frozen", "lora")
    for scores in (told["frozen"], told["lora"]):
        assert scores["log_likelihood"] < 0
        assert 0 <= scores["accuracy"] <= 1
    assert made.json()["warnings"] == []
    assert texts.get(made.headers["location"]).json()["escalation"] == told
    answer = texts.post(f"{made.headers['location']}/predictions", json={"inputs": ["cat red", "dog"]})
    assert [one["label"] for one in answer.json()["predictions"]] == ["meow", "woof"]
    few = texts.post("/v1/adaptations", json={**body, "support": SUPPORT}).json()
    assert few["escalation"] is None
    assert "5 examples a class" in few["warnings"][0]
    wrong = texts.post("/v1/adaptations", json={**body, "options": {"escalate": "all"}})
    check_problem(wrong, 422, "/options/escalate")


def test_in_one_call_as_in_two(texts: httpx.Client) -> None:
    inputs = ["dog", "a bird is neither"]
    at_once = texts.post("/v1/predictions", json={"model": "intents", "support": SUPPORT, "inputs": inputs})
    assert at_once.status_code == 200, at_once.text
    made = texts.post("/v1/adaptations", json={"model": "intents", "support": SUPPORT}).json()
    in_two = texts.post(f"/v1/adaptations/{made['id']}/predictions", json={"inputs": inputs})
    for one, other in zip(at_once.json()["predictions"], in_two.json()["predictions"], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_the_sdk_takes_strings(trained: Service) -> None:
    with Client(trained.url) as client:
        adaptation = client.adapt("intents", SUPPORT["inputs"], SUPPORT["targets"])
        assert [one.label for one in adaptation.predict(["cat", "dog"])] == ["meow", "woof"]


def test_the_inference_protocol_takes_bytes(texts: httpx.Client) -> None:
    made = texts.post("/v1/adaptations", json={"model": "intents", "support": SUPPORT}).json()
    metadata = texts.get(f"/v2/models/{made['id']}").json()
    assert metadata["inputs"] == [{"name": "inputs", "datatype": "BYTES", "shape": [-1]}]
    given = {"name": "inputs", "datatype": "BYTES", "shape": [2], "data": ["dog", "cat"]}
    answer = texts.post(f"/v2/models/{made['id']}/infer", json={"inputs": [given]})
    assert answer.status_code == 200, answer.text
    outputs = {one["name"]: one["data"] for one in answer.json()["outputs"]}
    assert outputs["label"] == ["woof", "meow"]


@pytest.mark.parametrize(
    ("inputs", "pointer", "words"),
    [
        (["dog", ""], "/support/inputs/1", "empty"),
        (["dog", " \n"], "/support/inputs/1", "empty"),
        (["x" * 10_001, "dog"], "/support/inputs/0", "10000"),
        ([[1.0], [2.0]], "/support/inputs", "texts"),
        (["x" * 9_000] * 12, "/support/inputs", "100000"),
    ],
)
def test_what_is_no_text_is_refused_where_it_stands(
    texts: httpx.Client, inputs: list[Any], pointer: str, words: str
) -> None:
    support = {"inputs": inputs, "targets": ["a", "b"] * (len(inputs) // 2)}
    answer = texts.post("/v1/adaptations", json={"model": "intents", "support": support})
    problem = check_problem(answer, 422)
    assert [one["pointer"] for one in problem["errors"]] == [pointer]
    assert words in problem["errors"][0]["detail"]


def test_other_scripts_long_texts_and_single_examples_are_answered(texts: httpx.Client) -> None:
    support = {"inputs": ["你好世界", "привет, мир", "cat " * 2000], "targets": ["zh", "ru", "cat"]}
    inputs = ["привет, мир", "cat cat cat", "🐈", "مرحبا"]
    answer = texts.post("/v1/predictions", json={"model": "intents", "support": support, "inputs": inputs})
    assert answer.status_code == 200, answer.text
    for one in answer.json()["predictions"]:
        assert sum(one["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)


def test_numbers_models_refuse_texts_and_texts_refuse_other_networks(service: Service) -> None:
    dataset = dataset_of(service)
    body = draft(dataset)
    body["learner"] = {"algorithm": {"name": "protonet"}, "network": {"name": "mlp"}}
    problem = check_problem(httpx.post(f"{service.url}/v1/jobs", json=body), 422)
    assert problem["errors"] == [
        {
            "pointer": "/learner/network/name",
            "detail": "mlp takes vectors, and these inputs are texts: use encoder",
        }
    ]


def test_a_model_of_texts_is_evaluated(trained: Service) -> None:
    report = evaluated(trained, "intents")
    assert report["accuracy"] > 1 / 3
    assert [row["shots"] for row in report["per_shot"]][:2] == [1, 2]


@pytest.mark.parametrize("tuning", ["lora", "layer_norm"])
def test_a_version_carries_what_tunes_its_encoder(trained: Service, tuning: str) -> None:
    body = draft(dataset_of(trained))
    body["model"] = f"tuned-{tuning}"
    body["learner"]["network"] |= {"tuning": tuning, "rank": 2, "layers": 1}
    body["training"] |= {"iterations": 12, "meta_lr": 0.05}
    job = train(trained, body)
    assert job["status"] == "succeeded", job["error"]
    made = {}
    for model in ("intents", body["model"]):
        question = {"model": model, "support": SUPPORT, "inputs": ["cat red", "dog two"]}
        answer = httpx.post(f"{trained.url}/v1/predictions", json=question, timeout=60)
        assert answer.status_code == 200, answer.text
        made[model] = [one["probabilities"]["meow"] for one in answer.json()["predictions"]]
    assert made[body["model"]] != pytest.approx(made["intents"], abs=1e-6)
    assert 0 <= evaluated(trained, body["model"])["accuracy"] <= 1
    # Its weights travel with it, and are its own: the other model answers as before beside it.
    artifact = httpx.get(f"{trained.url}/v1/models/{body['model']}/versions/1/artifact").content
    url = f"{trained.url}/v1/models/copy-{tuning}/versions"
    assert httpx.post(url, content=artifact, headers=_BINARY, timeout=60).status_code == 201
    question = {"model": f"copy-{tuning}", "support": SUPPORT, "inputs": ["cat red", "dog two"]}
    copied = httpx.post(f"{trained.url}/v1/predictions", json=question, timeout=60).json()["predictions"]
    assert [one["probabilities"]["meow"] for one in copied] == pytest.approx(made[body["model"]], abs=1e-6)


@pytest.mark.parametrize(
    ("part", "change", "pointer"),
    [
        ("learner", {"algorithm": {"name": "maml"}}, "/learner/network/tuning"),
        ("learner", {"members": 2}, "/learner/members"),
        ("tasks", {"dropout": 0.5}, "/tasks/dropout"),
    ],
)
def test_what_does_not_go_with_a_tuned_encoder(
    service: Service, part: str, change: dict[str, Any], pointer: str
) -> None:
    body = draft(dataset_of(service))
    body["learner"]["network"]["tuning"] = "lora"
    body[part] |= change
    problem = check_problem(httpx.post(f"{service.url}/v1/jobs", json=body), 422)
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    "name", ["somebody/missing", "../encoders/somebody/tiny", "/etc", "a/b/c", ".hidden", "tiny\n"]
)
def test_an_encoder_is_found_by_a_safe_name_alone(service: Service, name: str) -> None:
    body = draft(dataset_of(service))
    body["learner"]["network"]["encoder"] = name
    problem = check_problem(httpx.post(f"{service.url}/v1/jobs", json=body), 422)
    assert problem["errors"][0]["pointer"] == "/learner/network/encoder"


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("model.safetensors", None, "no weights"),
        ("pytorch_model.bin", b"cos\nsystem\n", "only safetensors"),
        ("modeling_own.py", b"print('run')", "never run"),
        ("tokenizer_config.json", b'{"auto_map": {}}', "auto_map"),
        ("config.json", b'{"num_features": 8, "pretrained_cfg": []}', "pretrained_cfg"),
        ("sentence_bert_config.json", b"[]", "sentence_bert_config.json"),
    ],
)
def test_an_encoder_that_is_not_taken_says_why(
    service: Service, file: str, content: bytes | None, words: str
) -> None:
    shelf = service.storage.encoders_path / "somebody"
    folder = shutil.copytree(shelf / "tiny", shelf / "spoilt")
    try:
        if content is None or file.endswith(".bin"):
            (folder / "model.safetensors").unlink()
        if content is not None:
            (folder / file).write_bytes(content)
        body = draft(dataset_of(service))
        body["learner"]["network"]["encoder"] = "somebody/spoilt"
        answer = httpx.post(f"{service.url}/v1/jobs", json=body)
        assert words in check_problem(answer, 422, "/learner/network/encoder")["detail"]
    finally:
        shutil.rmtree(folder)


def test_another_encoder_of_the_same_name_is_refused(trained: Service) -> None:
    folder = trained.storage.encoders_path / "somebody" / "tiny"
    config = folder / "1_Pooling" / "config.json"
    before = config.read_bytes()
    artifact = httpx.get(f"{trained.url}/v1/models/intents/versions/1/artifact").content
    config.write_bytes(before + b" ")
    try:
        # A fresh engine, as after a restart: nothing is loaded yet.
        stock = trained.loop._executor._models
        loaded, stock._encoders._loaded = stock._encoders._loaded, {}
        stock._held.drop(trained.services.registry.version("intents", 1).artifact_sha256)
        answer = httpx.post(
            f"{trained.url}/v1/models/again/versions", content=artifact, headers=_BINARY, timeout=60
        )
        problem = check_problem(answer, 422)
        assert "not the one that was meant" in problem["detail"]
    finally:
        config.write_bytes(before)
        stock._encoders._loaded = loaded
