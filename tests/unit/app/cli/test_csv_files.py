"""Rows of a csv file as a model takes them: its columns by name, its kinds by index, a row's faults by place."""

import numpy as np
import pytest

from tests import answers

COLUMNS = [{"name": "age", "mean": 40.0, "scale": 9.0}, {"name": "sex", "categories": ["Female", "Male"]}]


def version(**changes):
    return answers.version(model="m", version=2, **changes)


@pytest.fixture(autouse=True)
def adapts(service):
    service.answers["POST /v1/adaptations"] = (201, answers.adaptation())
    service.answers["POST /v1/adaptations/adp_1/predictions"] = answers.predictions()
    service.answers["GET /v1/models/m"] = answers.model(name="m", latest_version=2, aliases={"champion": 2})


@pytest.fixture
def people(service):
    """A model that has names for its columns, and an adaptation of it."""
    signature = answers.version()["signature"] | {"columns": COLUMNS}
    service.answers["GET /v1/models/m/versions/2"] = version(signature=signature)
    service.answers["GET /v1/adaptations/adp_1"] = answers.adaptation(model={"name": "m", "version": 2})


@pytest.fixture
def any_table(service):
    """A base for tables of up to four columns."""
    signature = {**answers.version()["signature"], "inputs": {"datatype": "FP32", "shape": [-1, 4]}}
    learner = {**answers.version()["learner"], "takes_fewer_columns": True}
    service.answers["GET /v1/models/m/versions/2"] = version(signature=signature, learner=learner)


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "people.csv"
        path.write_text(content)
        return path

    return write


def numbers_of(seen):
    """The rows behind a request's document, before those of its targets."""
    tensors = seen.document.get("support") or seen.document
    sizes = [
        tensors[name]["parameters"]["binary_data_size"]
        for name in ("inputs", "targets")
        if isinstance(tensors.get(name), dict)
    ]
    start = len(seen.body) - sum(sizes)
    kind = {"FP32": "<f4", "INT64": "<i8"}[tensors["inputs"]["datatype"]]
    rows = np.frombuffer(seen.body[start : start + sizes[0]], kind)
    return rows.reshape(tensors["inputs"]["shape"]).tolist()


def test_columns_are_chosen(innerloop, service, file):
    path = file("a,b,c,label\n1.5,2,3,x\n3,4,5,y\n")
    innerloop("adapt", "m", "--file", path, "--inputs", "c,a", "--target", "label")
    assert numbers_of(service.seen[-1]) == [[3, 1.5], [5, 3]]
    assert service.seen[-1].document["support"]["targets"] == ["x", "y"]


def test_a_column_of_texts_is_sent_as_texts(innerloop, service, file):
    path = file('text,label\n"hello, world",greet\n12,number\n')
    innerloop("adapt", "m", "--file", path, "--target", "label")
    assert service.seen[-1].document["support"] == {
        "inputs": ["hello, world", "12"],
        "targets": ["greet", "number"],
    }


@pytest.mark.usefixtures("people")
def test_a_models_columns_are_found_by_name_and_its_kinds_translated(innerloop, service, file):
    innerloop("adapt", "m", "--file", file("sex,id,age,target\nMale,7,31,1.5\nFemale,8,52,2\n"))
    assert numbers_of(service.seen[-1]) == [[31, 1], [52, 0]]
    assert "metadata" not in service.seen[-1].document
    innerloop("predict", "adp_1", "--file", file("sex,age\nFemale,20\nMale,30\n"))
    assert numbers_of(service.seen[-1]) == [[20, 0], [30, 1]]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("reference", ["m", "m@champion", "m@2"])
def test_the_version_is_the_one_that_the_reference_stands_for(innerloop, service, file, reference):
    innerloop("adapt", reference, "--file", file("sex,age,target\nMale,31,1\n"))
    assert numbers_of(service.seen[-1]) == [[31, 1]]


@pytest.mark.usefixtures("people")
def test_a_kind_that_the_model_does_not_know_is_said_and_sent_as_none_that_it_knows(
    service, file, monkeypatch, capsys
):
    from app.cli.main import main

    monkeypatch.setenv("INNERLOOP_URL", service.url)
    with pytest.raises(SystemExit):
        main(["adapt", "m", "--file", str(file("sex,age,target\nmale,31,1\n"))])
    assert numbers_of(service.seen[-1]) == [[31, -1]]
    assert "row 2 has the sex 'male', a kind unknown to the model" in capsys.readouterr().err


@pytest.mark.usefixtures("any_table")
def test_a_base_for_any_table_gets_the_columns_that_there_are_and_remembers_them(innerloop, service, file):
    innerloop("adapt", "m", "--file", file("a,b,target\n1,2,x\n3,4,y\n"))
    assert numbers_of(service.seen[-1]) == [[1, 2], [3, 4]]
    metadata = service.seen[-1].document["metadata"]
    assert metadata == {"columns": ["a", "b"]}
    service.answers["GET /v1/adaptations/adp_1"] = answers.adaptation(
        model={"name": "m", "version": 2}, metadata=metadata
    )
    innerloop("predict", "adp_1", "--file", file("b,a,target\n2,1,x\n4,3,y\n"))
    assert numbers_of(service.seen[-1]) == [[1, 2], [3, 4]]
    printed = innerloop("predict", "adp_1", "--file", file("a,c\n1,2\n"), status=1)
    assert "has no column 'b', which the model takes (a, b); it has a, c" in printed


@pytest.mark.usefixtures("any_table")
def test_a_table_too_wide_for_the_base_is_refused(innerloop, file):
    printed = innerloop("adapt", "m", "--file", file("a,b,c,d,e,target\n1,2,3,4,5,x\n"), status=1)
    assert "has 5 input columns and the model takes 4 at most: choose with --inputs" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,target\n", "no rows"),
        ("a,b\n1,2\n", "has no column 'target' of targets: name it with --target; it has a, b"),
        ("a,who,target\n1,me,2\n", "column 'who' holds 'me' in row 2, no number; choose with --inputs"),
        ("a,b,target\n1,2,x\n1,,y\n", "column 'b' is empty in row 3: fill it, or leave the row out"),
        ("a,b,target\n1,2,x\n1\n", "column 'b' is empty in row 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(innerloop, file, content, message):
    printed = innerloop("adapt", "m", "--file", file(content), status=1)
    assert message in printed
    assert "people.csv" in printed


def test_a_file_in_another_encoding_is_no_csv_file(innerloop, tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("text,target\ncaf\u00e9,x\n".encode("latin-1"))
    assert "latin.csv is no csv file in UTF-8" in innerloop("adapt", "m", "--file", path, status=1)


def test_unknown_columns_are_named(innerloop, file):
    printed = innerloop("adapt", "m", "--file", file("a,target\n1,2\n"), "--inputs", "z", status=1)
    assert "no column 'z'; it has a" in printed
