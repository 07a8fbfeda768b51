"""What hangs off an AsyncClient by noun. The twin of resources."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from . import uploads
from .alias import Alias, tag_of
from .async_adaptation import AsyncAdaptation
from .async_connection import AsyncConnection
from .async_job import AsyncJob
from .pages import async_pages
from .requests import adaptations, datasets, jobs, models
from .schemas.datasets import DatasetResponse
from .schemas.jobs import JobStatus
from .schemas.models import ModelResponse, ModelVersionResponse


class AsyncModels:
    """The registry. Lists fetch their pages as they are iterated over, newest first."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(self) -> AsyncIterator[ModelResponse]:
        """Every model."""
        return async_pages(self._connection, models.page)

    async def get(self, name: str) -> ModelResponse:
        """One model, with its aliases and newest version."""
        return await self._connection.send(models.get(name))

    def versions(self, name: str) -> AsyncIterator[ModelVersionResponse]:
        """Every version of a model."""
        return async_pages(self._connection, lambda limit, after: models.versions(name, limit, after))

    async def version(self, name: str, number: int) -> ModelVersionResponse:
        """One version: signature, learner, training record, metrics."""
        return await self._connection.send(models.version(name, number))

    async def alias(self, name: str, alias: str) -> Alias:
        """Where an alias points; its `etag` changes whenever it is moved."""
        return await self._connection.send(models.alias(name, alias))

    async def set_alias(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        if_match: Alias | str | None = None,
        only_new: bool = False,
    ) -> Alias:
        """Point `name@alias` at a version.

        With `if_match` (an Alias as it was read, or its etag), or with `only_new`, it raises PreconditionFailed
        in place of overwriting what somebody else did in between.
        """
        call = models.set_alias(name, alias, version, if_match=tag_of(if_match), if_none_match=only_new)
        return await self._connection.send(call)

    async def delete_alias(self, name: str, alias: str, *, if_match: Alias | str | None = None) -> None:
        """Remove an alias; the version stays."""
        await self._connection.send(models.delete_alias(name, alias, if_match=tag_of(if_match)))

    async def download(self, name: str, version: int, path: str | Path | None = None) -> bytes:
        """The version as one safetensors file (its metadata holds the manifest); also written to `path`."""
        artifact = await self._connection.send(models.download(name, version))
        if path is not None:
            await asyncio.to_thread(Path(path).write_bytes, artifact)
        return artifact

    async def upload(
        self, name: str, artifact: bytes | str | Path, *, alias: str | None = None
    ) -> ModelVersionResponse:
        """Register such a file as the next version of `name`, and move `alias` to it."""
        content = artifact if isinstance(artifact, bytes) else Path(artifact)
        return await self._connection.send(models.upload(name, content, alias))

    async def delete(self, name: str, version: int) -> None:
        """Delete a version. Raises Conflict while an alias or a live adaptation points at it."""
        await self._connection.send(models.delete_version(name, version))


class AsyncDatasets:
    """Labelled data to meta-train on."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def upload(
        self,
        source: bytes | str | Path,
        name: str | None = None,
        *,
        media_type: str | None = None,
        inputs: str | None = None,
        target: str | None = None,
        task: str | None = None,
        categorical: str | None = None,
        order: str | None = None,
    ) -> DatasetResponse:
        """Upload a .zip (one folder of images a class), .parquet, .csv or .npz file, streamed from disk.

        `inputs` and `categorical` (comma-separated), `target`, `task` and `order` name a table's columns:
        `categorical` the inputs whose values are kinds, `order` what puts rows into order. The same bytes and
        columns again give the dataset that is there.
        """
        content = source if isinstance(source, bytes) else Path(source)
        call = datasets.upload(
            uploads.name_of(content, name),
            content,
            uploads.media_type_of(content, media_type),
            inputs=inputs,
            target=target,
            task=task,
            categorical=categorical,
            order=order,
        )
        return await self._connection.send(call)

    async def upload_arrays(
        self, name: str, inputs: Any, targets: Any, tasks: Any = None, *, series: bool = False
    ) -> DatasetResponse:
        """Upload arrays as an npz file (needs numpy): inputs [N, …], targets [N], tasks [N] or None.

        With `series` the inputs are [N, T, C], T steps of C numbers each, and not gray images. A list of N texts
        becomes a csv file.
        """
        file = await asyncio.to_thread(uploads.arrays_file, inputs, targets, tasks, series=series)
        return await self.upload(file.content, name, **file.told)

    def list(self) -> AsyncIterator[DatasetResponse]:
        """Every dataset, newest first."""
        return async_pages(self._connection, datasets.page)

    async def get(self, dataset: str) -> DatasetResponse:
        """One dataset by its id."""
        return await self._connection.send(datasets.get(dataset))

    async def delete(self, dataset: str) -> None:
        """Delete a dataset. Raises Conflict while a job needs it."""
        await self._connection.send(datasets.delete(dataset))


class AsyncJobs:
    """Background work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(self, status: JobStatus | None = None, model: str | None = None) -> AsyncIterator[AsyncJob]:
        """Every job, newest first, or those of one status or model."""
        responses = async_pages(self._connection, lambda limit, after: jobs.page(status, model, limit, after))
        return (AsyncJob(response, self._connection) async for response in responses)

    async def get(self, job: str) -> AsyncJob:
        """One job by its id."""
        return AsyncJob(await self._connection.send(jobs.get(job)), self._connection)


class AsyncAdaptations:
    """Adapted models that the service keeps."""

    def __init__(self, connection: AsyncConnection, *, binary: bool) -> None:
        self._connection = connection
        self._binary = binary

    def list(self, model: str | None = None) -> AsyncIterator[AsyncAdaptation]:
        """Every live adaptation, newest first, or those of one model."""
        responses = async_pages(self._connection, lambda limit, after: adaptations.page(model, limit, after))
        return (
            AsyncAdaptation(response, self._connection, binary=self._binary) async for response in responses
        )

    async def get(self, adaptation: str) -> AsyncAdaptation:
        """One adaptation by its id."""
        response = await self._connection.send(adaptations.get(adaptation))
        return AsyncAdaptation(response, self._connection, binary=self._binary)

    async def delete(self, adaptation: str) -> None:
        """Delete an adaptation."""
        await self._connection.send(adaptations.delete(adaptation))
