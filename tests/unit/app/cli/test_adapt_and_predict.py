import base64
import json
import zipfile

import numpy as np
import pytest

from tests import answers


@pytest.fixture(autouse=True)
def adapts(service):
    service.answers["POST /v1/adaptations"] = (201, answers.adaptation())
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions()
    service.answers["GET /v1/adaptations/adp_1"] = answers.adaptation()
    service.answers["GET /v1/models/functions/versions/2"] = answers.version()


def test_numbers_are_given_as_options(innerloop, service):
    printed = innerloop(
        "adapt", "functions", "--x", "1,2,3,4", "--y", "2,4,6,8", "-o", "inner_steps=5", "--ttl", 60
    )
    assert "adp_1" in printed
    assert "functions@2" in printed
    [seen] = service.seen
    assert seen.document["model"] == "functions"
    assert seen.document["options"] == {"inner_steps": 5}
    assert seen.document["ttl_seconds"] == 60
    assert seen.document["support"]["inputs"]["shape"] == [4, 1]
    assert seen.document["support"]["targets"] == [2, 4, 6, 8]


def test_what_became_of_tuning_is_said_in_words(innerloop, service):
    scores = {"encoder": "lora", "frozen": {"log_likelihood": -0.8, "accuracy": 0.7}}
    scores |= {"lora": {"log_likelihood": -0.5, "accuracy": 0.9}}
    service.answers["POST /v1/adaptations"] = (201, answers.adaptation() | {"escalation": scores})
    printed = innerloop("adapt", "m", "--x", "a,b", "--y", "x,y", "-o", "escalate=lora")
    assert "encoder tuned to the examples" in printed
    assert "tuned 90% right" in printed
    assert "as it is 70% right" in printed
    untried = {"encoder": "frozen", "frozen": None, "lora": None, "reason": "It would take too long."}
    told = {"escalation": untried, "warnings": ["Look here."]}
    service.answers["POST /v1/adaptations"] = (201, answers.adaptation() | told)
    printed = innerloop("adapt", "m", "--x", "a,b", "--y", "x,y", "-o", "escalate=lora")
    assert "It would take too long." in printed
    assert "Look here." in printed


def test_rows_and_labels(innerloop, service):
    innerloop("adapt", "m", "--x", "0.5,1; 2,3", "--y", "cat, dog")
    assert service.seen[0].document["support"]["inputs"]["shape"] == [2, 2]
    assert service.seen[0].document["support"]["targets"] == ["cat", "dog"]
    innerloop("adapt", "m", "--x", "[[1.5], [2]]", "--y", '["1", "2"]')
    assert service.seen[1].document["support"]["targets"] == ["1", "2"]


def test_classes_need_no_example(innerloop, service):
    innerloop("adapt", "m", "--classes", "refund, lost luggage")
    assert service.seen[0].document["support"] == {"classes": ["refund", "lost luggage"]}
    innerloop("adapt", "m", "--x", "where is it", "--y", "tracking", "--classes", "refund")
    assert service.seen[1].document["support"]["targets"] == ["tracking"]
    assert service.seen[1].document["support"]["classes"] == ["refund"]
    for wrong in ("refund; tracking", "refund, 5"):
        assert "only a string" in innerloop("adapt", "m", "--classes", wrong, status=1)


@pytest.mark.parametrize("kind", ["csv", "json", "npz"])
def test_examples_come_from_files(innerloop, service, tmp_path, kind):
    path = tmp_path / f"examples.{kind}"
    if kind == "csv":
        path.write_text("a,b,target\n1.5,2,x\n3,4,y\n")
    elif kind == "json":
        path.write_text('{"inputs": [[1.5, 2], [3, 4]], "targets": ["x", "y"]}')
    else:
        np.savez(path, inputs=np.array([[1.5, 2], [3, 4]]), targets=np.array(["x", "y"]))
    innerloop("adapt", "m", "--file", path)
    support = service.seen[-1].document["support"]
    assert support["inputs"]["shape"] == [2, 2]
    assert support["targets"] == ["x", "y"]
    innerloop("predict", "adp_1", "--file", path)
    assert service.seen[-1].document["inputs"]["shape"] == [2, 2]


@pytest.fixture(params=["folder", "zip"])
def drawings(tmp_path, request):
    """Two classes of images, with what file managers leave behind."""
    files = {"ka/1.png": b"1", "ka/2.PNG": b"2", "sa/1.jpg": b"3", "ka/notes.txt": b"", ".trash/x/1.png": b""}
    folder = tmp_path / "drawings"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if request.param == "folder":
        return folder
    with zipfile.ZipFile(tmp_path / "drawings.zip", "w") as archive:
        for name, content in {**files, "__MACOSX/ka/1.png": b""}.items():
            archive.writestr(f"drawings/{name}", content)
    return tmp_path / "drawings.zip"


def test_images_come_from_class_folders(innerloop, service, drawings):
    innerloop("adapt", "letters", "--file", drawings)
    support = service.seen[0].document["support"]
    assert support["targets"] == ["ka", "ka", "sa"]
    assert [base64.b64decode(one["b64"]) for one in support["inputs"]] == [b"1", b"2", b"3"]


def test_images_are_named_in_what_is_predicted(innerloop, service, drawings, tmp_path):
    rows = [{"label": label, "probability": 0.75, "probabilities": {}} for label in ("ka", "ka", "sa")]
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions(*rows)
    printed = innerloop("predict", "adp_1", "--file", drawings)
    assert "ka/2.PNG" in printed
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions(rows[0])
    one = tmp_path / "unknown.png"
    one.write_bytes(b"4")
    assert "unknown.png" in innerloop("predict", "adp_1", "--file", one)
    assert service.seen[1].document["inputs"] == [{"b64": base64.b64encode(b"4").decode()}]


def test_classes_of_one_name_are_told_apart(innerloop, service, tmp_path):
    for name in ("greek/a/1.png", "latin/a/1.png"):
        (tmp_path / "all" / name).parent.mkdir(parents=True)
        (tmp_path / "all" / name).write_bytes(b"1")
    innerloop("adapt", "letters", "--file", tmp_path / "all")
    assert service.seen[0].document["support"]["targets"] == ["greek/a", "latin/a"]


def test_images_that_cannot_be_examples_are_said(innerloop, service, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.png").write_bytes(b"1")
    (tmp_path / "no.zip").write_text("hello")
    for name, message in [
        ("empty", "empty holds no images (.png, .jpg, .jpeg, .webp)"),
        ("flat", "flat: 1.png lies in no class folder (CLASS/1.png)"),
        ("no.zip", "no.zip is no zip file"),
    ]:
        assert message in innerloop("adapt", "letters", "--file", tmp_path / name, status=1)
    assert not service.seen


def test_a_model_that_is_not_there_can_be_made(innerloop, service):
    service.answers["POST /v1/adaptations"] = (404, {"title": "Not found", "detail": "no model 'functions'"})
    service.answers["GET /v1/recipes"] = answers.listing(answers.recipe())
    printed = innerloop("adapt", "functions@champion", "--x", "1", "--y", "2", status=1)
    assert "no model 'functions'; train it: innerloop train functions --alias champion" in printed
    assert "innerloop train RECIPE --model mine" in innerloop(
        "adapt", "mine", "--x", "1", "--y", "2", status=1
    )


def test_predictions_are_a_table_or_json(innerloop, service):
    printed = innerloop("predict", "adp_1", "--x", "5,6")
    assert "value" in printed
    assert "9.9" in printed
    assert json.loads(innerloop("predict", "adp_1", "--x", "5,6", "--json"))[1] == {"value": 12.1, "std": 0.2}
    row = {"label": "cat", "probability": 0.75, "probabilities": {"cat": 0.75, "dog": 0.25}}
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions(row)
    printed = innerloop("predict", "adp_1", "--x", "5,6")
    assert "cat" in printed
    assert "0.75" in printed


def test_adaptations_are_json_too(innerloop):
    assert json.loads(innerloop("adapt", "m", "--x", "1", "--y", "2", "--json"))["id"] == "adp_1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adapt", "m"], "give --x and --y, or --file"),
        (["adapt", "m", "--x", "1", "--y", "2", "--file", "a.csv"], "give either --file or --x and --y"),
        (["adapt", "m", "--x", ",", "--y", "2"], "--x is empty"),
        (["adapt", "m", "--x", "[1", "--y", "2"], "--x looks like JSON, but is none"),
        (["adapt", "m", "--x", "1,2;3", "--y", "2,3"], "inputs[1] has length 1"),
        (["adapt", "m", "--x", "1", "--y", "2", "-o", "inner_steps"], "write name=value"),
        (["adapt", "m", "--file", "examples.txt"], "examples are .csv, .json or .npz files"),
        (["predict", "adp_1"], "give either --x or --file"),
    ],
)
def test_what_is_missing_is_said(innerloop, service, arguments, message):
    assert message in innerloop(*arguments, status=1)
    assert not service.seen


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[1]", "has to be an object"),
        ("a.npz", "hello", "cannot be read"),
    ],
)
def test_bad_files_are_named(innerloop, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    printed = innerloop("adapt", "m", "--file", path, status=1)
    assert message in printed
    assert name in printed


def test_unknown_columns_are_named(innerloop, tmp_path):
    npz = tmp_path / "a.npz"
    np.savez(npz, x=[1])
    assert "no array `inputs`" in innerloop("adapt", "m", "--file", npz, status=1)
    assert "column names are for csv" in innerloop("adapt", "m", "--file", npz, "--inputs", "z", status=1)


def test_adaptations_are_listed_shown_and_deleted(innerloop, service):
    service.answers["GET /v1/adaptations"] = answers.listing(answers.adaptation())
    service.answers["GET /v1/adaptations/adp_1"] = answers.adaptation()
    service.answers["DELETE /v1/adaptations/adp_1"] = (204, b"")
    assert "adp_1" in innerloop("adaptations", "list", "--model", "functions")
    assert service.seen[0].query == "model=functions&limit=100"
    assert json.loads(innerloop("adaptations", "list", "--json"))[0]["id"] == "adp_1"
    assert "functions" in innerloop("adaptations", "show", "adp_1")
    assert innerloop("adaptations", "delete", "adp_1") == "deleted adp_1\n"


def test_texts_are_shown_beside_their_answers(innerloop, service):
    rows = [{"label": "a", "probability": 0.9, "probabilities": {"a": 0.9, "b": 0.1}}] * 2
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions(*rows)
    printed = innerloop("predict", "adp_1", "--x", f"when will it come, {'please ' * 20}")
    assert "when will it come  " in printed  # the comma made two of it, which is to be seen
    assert f"{('please ' * 20)[:47]}…" in printed
