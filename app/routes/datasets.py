"""Datasets over HTTP: upload a file, look at what it was read as, list, delete."""

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from msgspec import to_builtins
from starlette.responses import Response

from app.dependencies import After, Files, Limit, Services, Settings
from app.idempotency import once
from app.operations import Answer, file_body, operation
from app.requests.bodies import media_type_of
from app.requests.conditions import etag_of
from app.requests.parameters import DatasetId
from app.requests.uploads import receive_file, upload_file
from app.responses import examples
from app.responses.answers import answer, answer_tagged, listed
from innerloop.schemas.datasets import DatasetResponse
from innerloop.schemas.listing import ListResponse
from innerloop.schemas.models import SignatureResponse
from services.datasets.records import Dataset, DatasetColumns
from services.errors import Malformed, UnsupportedMediaType

router = APIRouter(prefix="/v1/datasets", tags=["Datasets"])

_FILES = {
    "application/zip": "One folder per class (or per task, with the class folders inside), image files within.",
    "application/x-npz": (
        "numpy arrays `inputs` (or `series` [n, T, C]), `targets`, optionally `tasks`; pickled objects are refused."
    ),
    "application/vnd.apache.parquet": "A table; `inputs`, `target` and `task` name its columns.",
    "text/csv": "A table with a header line; `inputs` (numbers, or one of texts), `target`, `task` name columns.",
}


@router.post(
    "",
    summary="Upload a dataset",
    **operation(
        {
            201: Answer("The dataset.", DatasetResponse, examples.DATASET, ("Location", "ETag")),
            200: Answer(
                "The same bytes and columns are here already: that dataset.",
                DatasetResponse,
                examples.DATASET,
                ("Location", "ETag"),
            ),
        },
        (422, 503),
        body=file_body(_FILES),
        idempotent=True,
    ),
)
async def upload_dataset(
    request: Request,
    services: Services,
    settings: Settings,
    files: Files,
    name: Annotated[
        str, Query(min_length=1, max_length=128, description="What to call it.", examples=["letters"])
    ],
    inputs: Annotated[
        list[str] | None,
        Query(
            description="Tables: the input columns, comma-separated or repeated; by default every other one.",
            examples=["width,height"],
        ),
    ] = None,
    target: Annotated[
        str | None, Query(description="Tables: the target column.", examples=["species"])
    ] = None,
    task: Annotated[
        str | None,
        Query(description="Tables: the column that says which task a row is of.", examples=["person"]),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        Query(
            description="Tables: the input columns whose values are kinds, not amounts; clients send their index.",
            examples=["skill"],
        ),
    ] = None,
    order: Annotated[
        str | None,
        Query(
            description="Tables: the column whose numbers or times put rows into order.", examples=["time"]
        ),
    ] = None,
) -> Response:
    """Keep labelled examples, to meta-train on. The body is the file; its media type says how to read it."""
    media_type = media_type_of(request)
    if media_type not in _FILES:
        raise UnsupportedMediaType(f"a dataset is one of {', '.join(_FILES)}")
    columns = DatasetColumns(
        inputs=_names(inputs), target=target, task=task, categorical=_names(categorical), order=order
    )
    with upload_file(settings.upload_dir) as file:
        upload = await receive_file(request, file, settings.dataset_bytes)
        if upload.size == 0:
            raise Malformed("the body is empty: it has to be the file")

        async def work(token: str | None) -> Response:
            async with files.turn():
                made, created = await anyio.to_thread.run_sync(
                    lambda: services.datasets.create(name, media_type, upload.path, columns, token)
                )
            headers = {"Location": f"/v1/datasets/{made.id}", "ETag": etag_of(made.sha256)}
            return answer(_wire(made), 201 if created else 200, headers)

        return await once(request, lambda: upload.sha256, services.idempotency, work)


@router.get(
    "",
    summary="List datasets",
    **operation(
        {
            200: Answer(
                "A page, newest first.", ListResponse[DatasetResponse], examples.one_page(examples.DATASET)
            )
        },
        (422,),
    ),
)
async def list_datasets(services: Services, limit: Limit = 20, after: After = None) -> Response:
    """Every dataset that was uploaded and not deleted."""
    return listed(await anyio.to_thread.run_sync(services.datasets.list, limit, after), _wire)


@router.get(
    "/{dataset_id}",
    summary="Get a dataset",
    **operation(
        {
            200: Answer("The dataset.", DatasetResponse, examples.DATASET, ("ETag",)),
            304: Answer("Unchanged."),
        },
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_dataset(request: Request, dataset_id: DatasetId, services: Services) -> Response:
    """One dataset; it never changes."""
    found = await anyio.to_thread.run_sync(services.datasets.get, dataset_id)
    return answer_tagged(request, _wire(found), etag_of(found.sha256))


@router.delete(
    "/{dataset_id}",
    summary="Delete a dataset",
    **operation({204: Answer("It is gone.")}, (404, 409)),
)
async def delete_dataset(dataset_id: DatasetId, services: Services) -> Response:
    """Remove a dataset. 409 while a job that has not ended needs it."""
    await anyio.to_thread.run_sync(services.datasets.delete, dataset_id)
    return Response(status_code=204)


def _names(given: list[str] | None) -> tuple[str, ...]:
    return tuple(name.strip() for part in given or () for name in part.split(",") if name.strip())


def _wire(dataset: Dataset) -> DatasetResponse:
    return DatasetResponse(
        id=dataset.id,
        name=dataset.name,
        kind=dataset.kind,
        n_examples=dataset.n_examples,
        n_classes=dataset.n_classes,
        n_tasks=dataset.n_tasks,
        signature=SignatureResponse.model_validate(to_builtins(dataset.signature)),
        sha256=dataset.sha256,
        bytes=dataset.bytes,
        created_at=dataset.created_at,
    )
