"""Whatever the bytes: a dataset that can be loaded, or a refusal in the service's words and nothing left behind."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.datasets.limits import DatasetLimits
from services.datasets.records import DatasetColumns
from services.datasets.service import DatasetService
from services.errors import Invalid, TooLarge
from services.storage.artifacts import MemoryArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from services.storage.tables import DatasetRow
from tests.fakes import FakeClock
from tests.uploads import archive, csv, npz, parquet, picture

XY = DatasetColumns(inputs=("x",), target="y")
WHOLE = {
    "application/zip": archive(
        {
            "a/1.png": picture((30, 30), 9),
            "a/2.jpg": picture((28, 28, 3), 99, "JPEG"),
            "b/1.webp": picture((28, 28), 50, "WEBP"),
        }
    ),
    "application/x-npz": npz(
        inputs=np.arange(12.0).reshape(4, 3), targets=["a", "b", "a", "b"], tasks=[1, 2, 1, 2]
    ),
    "text/csv": csv("x,y", "1,a", "2,b", "3,a"),
    "application/vnd.apache.parquet": parquet(x=[1.0, 2.0, 3.0], y=["a", "b", "a"]),
}
TABLES = ("text/csv", "application/vnd.apache.parquet")
LIMITS = DatasetLimits(unpacked_bytes=1 << 24, examples=10_000, image_pixels=1 << 20)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good file with some bytes overwritten, taken out or put in; or no file at all."""
    media_type = draw(st.sampled_from(sorted(WHOLE)))
    data = bytearray(WHOLE[media_type])
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        data[start:end] = draw(st.binary(max_size=8))
    return media_type, bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        storage = StorageSettings(data_dir=Path(folder), database_url=None, jobs_database_url=None)
        migrate(storage)
        database = Database(storage.tables_url)
        yield database
        database.close()


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damaged())
def test_damage_is_refused_whole(database: Database, upload: tuple[str, bytes]) -> None:
    media_type, data = upload
    artifacts = MemoryArtifactStore()
    datasets = DatasetService(database, artifacts, FakeClock(), LIMITS)
    try:
        with warnings.catch_warnings():
            # Libraries warn about oddities that they go on to read; a service only logs that.
            warnings.simplefilter("ignore")
            made, created = datasets.create("d", media_type, data, XY if media_type in TABLES else None)
    except (Invalid, TooLarge):
        assert len(artifacts) == 0
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(DatasetRow)) == 0
    else:
        assert created
        assert len(datasets.load(made.id).inputs) == made.n_examples
        datasets.delete(made.id)
        assert len(artifacts) == 0


@pytest.mark.parametrize("media_type", sorted(WHOLE))
def test_the_undamaged_files_are_taken(database: Database, media_type: str) -> None:
    datasets = DatasetService(database, MemoryArtifactStore(), FakeClock(), LIMITS)
    made, created = datasets.create("d", media_type, WHOLE[media_type], XY if media_type in TABLES else None)
    assert created
    datasets.delete(made.id)
