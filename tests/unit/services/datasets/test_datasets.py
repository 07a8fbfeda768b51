"""Datasets as a service: taken in once, listed, loaded as they were, deleted when no job needs them."""

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest

from services.datasets.limits import DatasetLimits
from services.datasets.records import DatasetColumns
from services.datasets.service import DatasetService
from services.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedMediaType
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.tables import DatasetRow, JobRow
from tests.fakes import FakeClock
from tests.uploads import csv, folders_of_images, npz, parquet

ZIP = "application/zip"
NPZ = "application/x-npz"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
XY = DatasetColumns(inputs=("x",), target="y")
LETTERS = folders_of_images(("greek/a", "greek/b", "latin/a"), each=2)


@pytest.fixture
def datasets(database: Database, artifacts: FolderArtifactStore, clock: FakeClock) -> DatasetService:
    return DatasetService(database, artifacts, clock, DatasetLimits(upload_bytes=100_000))


def _job(database: Database, dataset: str, status: str) -> None:
    with database.write() as session:
        session.add(
            JobRow(
                id="job_1",
                type="meta_training",
                status=status,
                model="m",
                config={"tasks": {"family": "labelled", "dataset": dataset}},
                publish={},
                progress={},
                metrics={},
                attempts=1,
                turn=0,
                losses=0,
                created_at=FakeClock().now(),
            )
        )


def test_an_upload_is_described(datasets: DatasetService, clock: FakeClock) -> None:
    made, created = datasets.create("letters", ZIP, LETTERS)
    assert created
    assert made.id.startswith("ds_")
    assert (made.name, made.kind, made.n_examples, made.n_classes, made.n_tasks) == (
        "letters",
        "labelled",
        6,
        3,
        2,
    )
    assert made.signature.inputs.shape == (-1, 28, 28, 1)
    assert made.example_shape == (28, 28, 1)
    assert sum(size * classes for size, classes in made.class_sizes) == 6
    assert made.sha256 == hashlib.sha256(LETTERS).hexdigest()
    assert (made.bytes, made.created_at) == (len(LETTERS), clock.now())
    assert datasets.get(made.id) == made
    assert datasets.list().data == [made]


def test_numbers_to_predict_have_no_classes(datasets: DatasetService) -> None:
    made, _ = datasets.create("line", CSV, csv("x,y", "1,0.5", "2,1.5"), XY)
    assert (made.kind, made.n_classes, made.n_tasks) == ("regression", None, None)
    arrays = datasets.load(made.id)
    assert (arrays.kind, arrays.classes, arrays.targets.tolist()) == ("regression", (), [[0.5], [1.5]])


@pytest.mark.parametrize(
    ("media_type", "data", "columns"),
    [
        (ZIP, LETTERS, DatasetColumns()),
        (NPZ, npz(inputs=np.ones((2, 3)), targets=["\N{SNOWMAN}", "b"], tasks=[1, 2]), DatasetColumns()),
        (CSV, csv("x,y", "1,a", "2,b"), XY),
        (f"{CSV}; charset=utf-8", csv("x,y", "1,a", "2,b"), XY),
        (PARQUET, parquet(x=[1, 2], y=["a", "b"]), XY),
    ],
)
def test_every_format_from_memory_and_from_a_file(
    datasets: DatasetService, tmp_path: Path, media_type: str, data: bytes, columns: DatasetColumns
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(data)
    made, created = datasets.create("d", media_type, path, columns)
    assert created
    assert path.read_bytes() == data
    again, created = datasets.create("another name", media_type, data, columns)
    assert (again, created) == (made, False)
    arrays = datasets.load(made.id)
    assert (len(arrays.inputs), len(arrays.classes)) == (made.n_examples, made.n_classes)
    assert arrays.signature == made.signature
    assert arrays.targets.dtype == np.int64


def test_what_is_loaded_is_what_was_uploaded(datasets: DatasetService) -> None:
    inputs = np.random.default_rng(0).random((4, 8, 9, 3), dtype=np.float32)
    names = ["a\0", "b" * 256, "a\0", "\N{SNOWMAN}"]
    made, _ = datasets.create(
        "d", PARQUET, parquet(x=[1, 2, 3, 4], y=names, t=[3, 1, 3, 2]), DatasetColumns(target="y", task="t")
    )
    arrays = datasets.load(made.id)
    assert [arrays.classes[slot] for slot in arrays.targets] == names
    assert arrays.task_names_of_examples is not None
    assert arrays.task_names_of_examples.tolist() == ["3", "1", "3", "2"]
    made, _ = datasets.create("e", NPZ, npz(inputs=inputs, targets=[0, 1, 0, 1]))
    np.testing.assert_array_equal(datasets.load(made.id).inputs, inputs)


def test_other_columns_or_another_format_are_another_dataset(datasets: DatasetService) -> None:
    table = csv("x,y,z", "1,a,1", "2,b,2")
    ids = {
        datasets.create("d", CSV, table, columns)[0].id
        for columns in (XY, DatasetColumns(target="y"), DatasetColumns(inputs=("z",), target="y"))
    }
    assert len(ids) == 3


def test_a_token_names_the_dataset(datasets: DatasetService) -> None:
    assert datasets.create("d", ZIP, LETTERS, token="abc")[0].id == "ds_abc"


def test_equal_uploads_at_once_are_one_dataset(datasets: DatasetService) -> None:
    made: list[tuple[str, bool]] = []
    start = threading.Barrier(4)

    def upload() -> None:
        start.wait()
        dataset, created = datasets.create("d", ZIP, LETTERS)
        made.append((dataset.id, created))

    threads = [threading.Thread(target=upload, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id_ for id_, _ in made}) == 1
    assert sorted(created for _, created in made) == [False, False, False, True]


@pytest.mark.parametrize("media_type", ["", "application/json", "image/png", "application/zipper", ";"])
def test_other_media_types_are_refused(datasets: DatasetService, media_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="application/zip"):
        datasets.create("d", media_type, LETTERS)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0", "x" * 129])
def test_a_dataset_has_a_readable_name(datasets: DatasetService, name: str) -> None:
    with pytest.raises(Invalid, match="name"):
        datasets.create(name, ZIP, LETTERS)


def test_columns_are_for_tables(datasets: DatasetService) -> None:
    with pytest.raises(Invalid, match="target"):
        datasets.create("d", CSV, csv("x,y", "1,a", "2,b"))
    with pytest.raises(Invalid, match="no columns"):
        datasets.create("d", ZIP, LETTERS, XY)


def test_an_upload_beyond_the_limit_is_refused(datasets: DatasetService) -> None:
    with pytest.raises(TooLarge, match="100000"):
        datasets.create("d", ZIP, b"\0" * 100_001)


@pytest.mark.parametrize("status", ["queued", "running", "paused"])
def test_a_dataset_that_a_job_needs_stays(datasets: DatasetService, database: Database, status: str) -> None:
    made, _ = datasets.create("d", ZIP, LETTERS)
    _job(database, made.id, status)
    with pytest.raises(Conflict, match="job_1"):
        datasets.delete(made.id)
    assert datasets.load(made.id).classes


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_dataset_that_no_job_needs_goes(
    datasets: DatasetService, database: Database, artifacts: FolderArtifactStore, status: str
) -> None:
    made, _ = datasets.create("d", ZIP, LETTERS)
    _job(database, made.id, status)
    with database.read() as session:
        sha256 = session.get_one(DatasetRow, made.id).artifact_sha256
    assert artifacts.exists(sha256)
    datasets.delete(made.id)
    assert not artifacts.exists(sha256)
    for ask in (datasets.get, datasets.load, datasets.delete):
        with pytest.raises(NotFound):
            ask(made.id)
    assert datasets.create("d", ZIP, LETTERS)[1]


def test_lists_go_by_the_page(datasets: DatasetService, clock: FakeClock) -> None:
    ids = []
    for value in range(3):
        ids.append(datasets.create("d", CSV, csv("x,y", f"{value},a", "2,b"), XY)[0].id)
        clock.advance(1)
    first = datasets.list(limit=2)
    assert [dataset.id for dataset in first.data] == ids[:0:-1]
    rest = datasets.list(limit=2, after=first.next)
    assert ([dataset.id for dataset in rest.data], rest.next) == (ids[:1], None)
