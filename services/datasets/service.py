"""Datasets: uploaded once, kept as plain arrays, read by jobs. Knows rows and files; not what trains on them."""

import hashlib
from pathlib import Path

import msgspec
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.datasets import repository
from services.datasets.limits import DatasetLimits
from services.datasets.reading import check_columns, plain_media_type, read
from services.datasets.records import Dataset, DatasetColumns, LabelledArrays
from services.datasets.stored import decode_arrays, encode_arrays
from services.datasets.upload import Upload
from services.errors import Conflict, Invalid, TooLarge
from services.ids import new_id
from services.storage.artifacts import ArtifactStore
from services.storage.database import Database
from services.storage.paging import DEFAULT_LIMIT, Page
from services.storage.references import keep, release
from services.storage.tables import DatasetRow

_MAX_NAME = 128


class DatasetService:
    """Everything about an upload is checked before anything of it is stored."""

    def __init__(
        self, database: Database, artifacts: ArtifactStore, clock: Clock, limits: DatasetLimits
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._clock = clock
        self._limits = limits

    @property
    def limits(self) -> DatasetLimits:
        return self._limits

    def create(
        self,
        name: str,
        media_type: str,
        data: bytes | Path,
        columns: DatasetColumns | None = None,
        token: str | None = None,
    ) -> tuple[Dataset, bool]:
        """Take in an upload; False with the dataset that is there, where equal bytes came with equal columns.

        `token` becomes part of a new dataset's id. Raises Invalid, TooLarge, UnsupportedMediaType.
        """
        columns = columns or DatasetColumns()
        _check_name(name)
        media_type = plain_media_type(media_type)
        check_columns(media_type, columns)
        upload = Upload(data)
        size = upload.size()
        if size > self._limits.upload_bytes:
            raise TooLarge(f"{size} bytes; an upload may have {self._limits.upload_bytes}")
        sha256 = upload.sha256()
        source_key = _source_key(sha256, media_type, columns)
        present = self._find(source_key)
        if present is not None:
            return present, False
        arrays = read(upload, media_type, columns, self._limits)
        stored = encode_arrays(arrays)
        row = DatasetRow(
            id=new_id("ds", token),
            name=name,
            source_sha256=sha256,
            source_key=source_key,
            source_bytes=size,
            artifact_sha256=self._artifacts.put(stored),
            summary=repository.summary_of(arrays),
            created_at=self._clock.now(),
        )
        try:
            with self._database.write() as session:
                keep(session, self._artifacts, stored, row.artifact_sha256)
                session.add(row)
        except IntegrityError:
            # An equal upload was quicker by a moment.
            present = self._find(source_key)
            if present is None:
                raise
            return present, False
        return repository.dataset_record(row), True

    def list(self, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page[Dataset]:
        """Datasets, newest first."""
        with self._database.read() as session:
            return repository.page_of_datasets(session, limit, after)

    def get(self, dataset_id: str) -> Dataset:
        """One dataset. Raises NotFound."""
        with self._database.read() as session:
            return repository.dataset_record(repository.dataset_row(session, dataset_id))

    def delete(self, dataset_id: str) -> None:
        """Remove a dataset and its file. Raises NotFound; Conflict while an unfinished job needs it."""
        with self._database.write() as session:
            row = repository.dataset_row(session, dataset_id, lock=True)
            if jobs := repository.jobs_reading(session, dataset_id):
                raise Conflict(f"dataset {dataset_id!r} is in use by {', '.join(jobs)}")
            session.delete(row)
        release(self._database, self._artifacts, row.artifact_sha256)

    def load(self, dataset_id: str) -> LabelledArrays:
        """The dataset's examples. Raises NotFound."""
        with self._database.read() as session:
            sha256 = repository.dataset_row(session, dataset_id).artifact_sha256
        return decode_arrays(self._artifacts.read(sha256))

    def _find(self, source_key: str) -> Dataset | None:
        with self._database.read() as session:
            row = repository.find_by_source(session, source_key)
            return None if row is None else repository.dataset_record(row)


def _check_name(name: str) -> None:
    if not (name.strip() and name.isprintable() and len(name) <= _MAX_NAME):
        raise Invalid(f"a dataset's name is 1 to {_MAX_NAME} printable characters")


def _source_key(sha256: str, media_type: str, columns: DatasetColumns) -> str:
    plain = msgspec.to_builtins(columns)
    for later in (
        "categorical",
        "order",
    ):  # an upload without them has the key that it had before there were any
        if not plain[later]:
            del plain[later]
    return hashlib.sha256(msgspec.json.encode((sha256, media_type, plain))).hexdigest()
