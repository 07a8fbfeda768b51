import io
import json
import zipfile

import pytest

from tests import answers

EMPTY = (204, b"")


@pytest.fixture(autouse=True)
def registry(service):
    service.answers |= {
        "GET /v1/models": answers.listing(answers.model()),
        "GET /v1/models/functions": answers.model(latest_version=3),
        "GET /v1/models/functions/versions": answers.listing(answers.version()),
        "GET /v1/models/functions/versions/2": answers.version(),
        "GET /v1/models/functions/versions/2/artifact": (200, b"tensors"),
        "POST /v1/models/functions/versions": (201, answers.version(version=3)),
        "DELETE /v1/models/functions/versions/2": EMPTY,
        "PUT /v1/models/functions/aliases/champion": answers.alias(),
        "DELETE /v1/models/functions/aliases/champion": EMPTY,
        "GET /v1/datasets": answers.listing(answers.dataset()),
        "GET /v1/datasets/ds_1": answers.dataset(),
        "POST /v1/datasets": (201, answers.dataset()),
        "DELETE /v1/datasets/ds_1": EMPTY,
        "GET /v1/recipes": answers.listing(answers.recipe()),
    }


def test_models_are_listed(innerloop):
    assert "champion=2" in innerloop("models", "list")
    assert json.loads(innerloop("models", "list", "--json"))[0]["name"] == "functions"
    assert "ridge" in innerloop("models", "versions", "functions")
    assert json.loads(innerloop("models", "versions", "functions", "--json"))[0]["version"] == 2


@pytest.mark.parametrize("reference", ["functions", "functions@champion", "functions@2"])
def test_a_reference_shows_its_version(innerloop, reference):
    assert json.loads(innerloop("models", "show", reference, "--json"))["version"] == 2
    assert "ridge" in innerloop("models", "show", reference)


def test_a_reference_without_champion_is_the_newest(innerloop, service):
    service.answers["GET /v1/models/functions"] = answers.model(aliases={}, latest_version=2)
    assert json.loads(innerloop("models", "show", "functions", "--json"))["version"] == 2
    assert "stands for no version" in innerloop("models", "show", "functions@best", status=1)


def test_aliases_are_moved_and_removed(innerloop, service):
    assert innerloop("models", "alias", "functions", "champion", 2) == "functions@champion is version 2\n"
    assert service.seen[0].document == {"version": 2}
    assert innerloop("models", "alias", "functions", "champion", "--delete") == "functions@champion is gone\n"
    assert "either a version or --delete" in innerloop("models", "alias", "functions", "champion", status=1)


def test_versions_go_down_up_and_away(innerloop, service, tmp_path):
    path = tmp_path / "m.safetensors"
    assert innerloop("models", "download", "functions", 2, "-o", path) == f"{path} (7 bytes)\n"
    assert path.read_bytes() == b"tensors"
    assert innerloop("models", "upload", "functions", path, "--alias", "best") == "functions@3\n"
    assert service.seen[1].query == "alias=best"
    assert service.seen[1].body == b"tensors"
    assert innerloop("models", "delete", "functions", 2) == "deleted functions@2\n"


def test_datasets(innerloop, service, tmp_path):
    path = tmp_path / "letters.csv"
    path.write_text("a,y\n1,2\n")
    assert "ds_1" in innerloop("datasets", "upload", path, "--inputs", "a", "--target", "y", "--task", "t")
    assert service.seen[0].query == "name=letters&inputs=a&target=y&task=t"
    assert service.seen[0].body == path.read_bytes()
    assert "letters" in innerloop("datasets", "list")
    assert json.loads(innerloop("datasets", "list", "--json"))[0]["id"] == "ds_1"
    assert json.loads(innerloop("datasets", "show", "ds_1", "--json"))["n_classes"] == 4
    assert innerloop("datasets", "delete", "ds_1") == "deleted ds_1\n"


def test_a_folder_of_class_folders_goes_up_as_a_zip(innerloop, service, tmp_path):
    folder = tmp_path / "letters"
    for place in ("a/1.png", "b/2.jpg", "b/notes.txt"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(place.encode())
    printed = innerloop("datasets", "upload", folder)
    assert "--set tasks.dataset=ds_1" in printed
    assert service.seen[0].query == "name=letters"
    with zipfile.ZipFile(io.BytesIO(service.seen[0].body)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/1.png": b"a/1.png",
            "b/2.jpg": b"b/2.jpg",
        }
    (folder / "a" / "1.png").touch()  # a dataset is its images, not their times
    innerloop("datasets", "upload", folder)
    assert service.seen[1].body == service.seen[0].body
    (tmp_path / "empty").mkdir()
    assert "holds no images" in innerloop("datasets", "upload", tmp_path / "empty", status=1)


def test_a_media_type_is_told_where_the_suffix_does_not(innerloop, service, tmp_path):
    path = tmp_path / "letters.bin"
    path.write_bytes(b"PK")
    assert "say --type" in innerloop("datasets", "upload", path, status=1)
    assert "ds_1" in innerloop("datasets", "upload", path, "--type", "application/zip")


def test_a_table_needs_a_target(innerloop, service, tmp_path):
    table, other = tmp_path / "t.csv", tmp_path / "t.parquet"
    table.write_text("x,y,who\n1,2,me\n")
    other.write_bytes(b"PAR1")
    said = innerloop("datasets", "upload", table, status=1)
    assert said == "innerloop: t.csv is a table: name the column to predict with --target; it has x, y, who\n"
    assert innerloop("datasets", "upload", other, status=1).endswith("with --target\n")
    assert not service.seen


def test_recipes(innerloop):
    printed = innerloop("recipes")
    for said in ("Lines and curves", "error below 1", "2 cores  30 s", "GPU      not measured"):
        assert said in printed
    assert json.loads(innerloop("recipes", "functions"))["training"] == {"iterations": 100}
    assert json.loads(innerloop("recipes", "--json"))[0]["name"] == "functions"
    assert "there are functions" in innerloop("recipes", "nope", status=1)
