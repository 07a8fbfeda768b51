"""The datasets' rows, read and turned into records within a caller's session. Decides nothing."""

from typing import Any

import msgspec
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.spec import Signature
from services.datasets.records import Dataset, DatasetKind, LabelledArrays
from services.errors import NotFound
from services.storage.paging import Page, mapped, paginate
from services.storage.tables import DatasetRow, JobRow

# A job in one of these will still read its dataset.
_UNFINISHED = ("queued", "running", "paused")


class _Summary(msgspec.Struct, frozen=True):
    """What a row keeps of the arrays, so that listing datasets opens no file."""

    kind: DatasetKind
    n_examples: int
    n_classes: int | None
    n_tasks: int | None
    signature: Signature
    # Rows of datasets that were uploaded before this was kept have none.
    class_sizes: tuple[tuple[int, int], ...] = ()


def summary_of(arrays: LabelledArrays) -> dict[str, Any]:
    """The `summary` column for these arrays."""
    summary = _Summary(
        kind=arrays.kind,
        n_examples=len(arrays.inputs),
        n_classes=len(arrays.classes) or None,
        n_tasks=None if arrays.tasks is None else len(arrays.task_names),
        signature=arrays.signature,
        class_sizes=_class_sizes(arrays),
    )
    plain: dict[str, Any] = msgspec.to_builtins(summary)
    return plain


def _class_sizes(arrays: LabelledArrays) -> tuple[tuple[int, int], ...]:
    if not arrays.classes:
        return ()
    sizes, counts = np.unique(np.bincount(arrays.targets), return_counts=True)
    return tuple(zip(sizes.tolist(), counts.tolist(), strict=True))


def dataset_row(session: Session, dataset_id: str, *, lock: bool = False) -> DatasetRow:
    """The dataset's row. Raises NotFound."""
    row = session.get(DatasetRow, dataset_id, with_for_update=lock)
    if row is None:
        hint = "" if dataset_id.startswith("ds_") else ": it is named by its id, ds_… (GET /v1/datasets)"
        raise NotFound(f"no dataset {dataset_id!r}{hint}")
    return row


def find_by_source(session: Session, source_key: str) -> DatasetRow | None:
    """The dataset that was made of an equal upload, if there is one."""
    return session.scalars(select(DatasetRow).where(DatasetRow.source_key == source_key)).one_or_none()


def page_of_datasets(session: Session, limit: int, after: str | None) -> Page[Dataset]:
    """Datasets, newest first."""
    page = paginate(session, select(DatasetRow), (DatasetRow.created_at, DatasetRow.id), limit, after)
    return mapped(page, dataset_record)


def jobs_reading(session: Session, dataset_id: str) -> list[str]:
    """The ids of the unfinished jobs that train on it."""
    of_dataset = JobRow.config["tasks"]["dataset"].as_string() == dataset_id
    jobs = select(JobRow.id).where(JobRow.status.in_(_UNFINISHED), of_dataset).order_by(JobRow.id)
    return list(session.scalars(jobs))


def dataset_record(row: DatasetRow) -> Dataset:
    """The row as a record."""
    summary = msgspec.convert(row.summary, _Summary)
    return Dataset(
        id=row.id,
        name=row.name,
        kind=summary.kind,
        n_examples=summary.n_examples,
        n_classes=summary.n_classes,
        n_tasks=summary.n_tasks,
        class_sizes=summary.class_sizes,
        signature=summary.signature,
        sha256=row.source_sha256,
        bytes=row.source_bytes,
        created_at=row.created_at,
    )
