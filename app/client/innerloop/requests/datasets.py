"""Labelled data to meta-train on."""

from pathlib import Path

from ..call import Call, body_of, fetch, post, remove, segment
from ..schemas.datasets import DatasetResponse
from ..schemas.listing import ListResponse

# The service reads a whole file, every picture of it, before it answers.
READING_S = 600.0


def upload(
    name: str,
    content: bytes | Path,
    media_type: str,
    *,
    inputs: str | None = None,
    target: str | None = None,
    task: str | None = None,
    categorical: str | None = None,
    order: str | None = None,
) -> Call[DatasetResponse]:
    """`inputs` and `categorical` (comma-separated), `target`, `task` and `order` name a table's columns."""
    return post(
        "/v1/datasets",
        body_of(DatasetResponse),
        content=content,
        headers={"Content-Type": media_type},
        params={
            "name": name,
            "inputs": inputs,
            "target": target,
            "task": task,
            "categorical": categorical,
            "order": order,
        },
        patience=READING_S,
    )


def get(dataset: str) -> Call[DatasetResponse]:
    return fetch(f"/v1/datasets/{segment(dataset)}", body_of(DatasetResponse))


def page(limit: int, after: str | None) -> Call[ListResponse[DatasetResponse]]:
    return fetch("/v1/datasets", body_of(ListResponse[DatasetResponse]), {"limit": limit, "after": after})


def delete(dataset: str) -> Call[None]:
    return remove(f"/v1/datasets/{segment(dataset)}")
