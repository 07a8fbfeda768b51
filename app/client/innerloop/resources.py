"""What hangs off a Client by noun: `client.models`, `client.datasets`, `client.jobs`, `client.adaptations`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import uploads
from .adaptation import Adaptation
from .alias import Alias, tag_of
from .connection import Connection
from .job import Job
from .pages import pages
from .requests import adaptations, datasets, jobs, models
from .schemas.datasets import DatasetResponse
from .schemas.jobs import JobStatus
from .schemas.models import ModelResponse, ModelVersionResponse


class Models:
    """The registry. Lists fetch their pages as they are iterated over, newest first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> Iterator[ModelResponse]:
        """Every model."""
        return pages(self._connection, models.page)

    def get(self, name: str) -> ModelResponse:
        """One model, with its aliases and newest version."""
        return self._connection.send(models.get(name))

    def versions(self, name: str) -> Iterator[ModelVersionResponse]:
        """Every version of a model."""
        return pages(self._connection, lambda limit, after: models.versions(name, limit, after))

    def version(self, name: str, number: int) -> ModelVersionResponse:
        """One version: signature, learner, training record, metrics."""
        return self._connection.send(models.version(name, number))

    def alias(self, name: str, alias: str) -> Alias:
        """Where an alias points; its `etag` changes whenever it is moved."""
        return self._connection.send(models.alias(name, alias))

    def set_alias(
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
        return self._connection.send(call)

    def delete_alias(self, name: str, alias: str, *, if_match: Alias | str | None = None) -> None:
        """Remove an alias; the version stays."""
        self._connection.send(models.delete_alias(name, alias, if_match=tag_of(if_match)))

    def download(self, name: str, version: int, path: str | Path | None = None) -> bytes:
        """The version as one safetensors file (its metadata holds the manifest); also written to `path`."""
        artifact = self._connection.send(models.download(name, version))
        if path is not None:
            Path(path).write_bytes(artifact)
        return artifact

    def upload(
        self, name: str, artifact: bytes | str | Path, *, alias: str | None = None
    ) -> ModelVersionResponse:
        """Register such a file as the next version of `name`, and move `alias` to it."""
        content = artifact if isinstance(artifact, bytes) else Path(artifact)
        return self._connection.send(models.upload(name, content, alias))

    def delete(self, name: str, version: int) -> None:
        """Delete a version. Raises Conflict while an alias or a live adaptation points at it."""
        self._connection.send(models.delete_version(name, version))


class Datasets:
    """Labelled data to meta-train on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
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
        return self._connection.send(call)

    def upload_arrays(
        self, name: str, inputs: Any, targets: Any, tasks: Any = None, *, series: bool = False
    ) -> DatasetResponse:
        """Upload arrays as an npz file (needs numpy): inputs [N, …], targets [N], tasks [N] or None.

        With `series` the inputs are [N, T, C], T steps of C numbers each, and not gray images. A list of N texts
        becomes a csv file.
        """
        file = uploads.arrays_file(inputs, targets, tasks, series=series)
        return self.upload(file.content, name, **file.told)

    def list(self) -> Iterator[DatasetResponse]:
        """Every dataset, newest first."""
        return pages(self._connection, datasets.page)

    def get(self, dataset: str) -> DatasetResponse:
        """One dataset by its id."""
        return self._connection.send(datasets.get(dataset))

    def delete(self, dataset: str) -> None:
        """Delete a dataset. Raises Conflict while a job needs it."""
        self._connection.send(datasets.delete(dataset))


class Jobs:
    """Background work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, status: JobStatus | None = None, model: str | None = None) -> Iterator[Job]:
        """Every job, newest first, or those of one status or model."""
        responses = pages(self._connection, lambda limit, after: jobs.page(status, model, limit, after))
        return (Job(response, self._connection) for response in responses)

    def get(self, job: str) -> Job:
        """One job by its id."""
        return Job(self._connection.send(jobs.get(job)), self._connection)


class Adaptations:
    """Adapted models that the service keeps."""

    def __init__(self, connection: Connection, *, binary: bool) -> None:
        self._connection = connection
        self._binary = binary

    def list(self, model: str | None = None) -> Iterator[Adaptation]:
        """Every live adaptation, newest first, or those of one model."""
        responses = pages(self._connection, lambda limit, after: adaptations.page(model, limit, after))
        return (Adaptation(response, self._connection, binary=self._binary) for response in responses)

    def get(self, adaptation: str) -> Adaptation:
        """One adaptation by its id."""
        response = self._connection.send(adaptations.get(adaptation))
        return Adaptation(response, self._connection, binary=self._binary)

    def delete(self, adaptation: str) -> None:
        """Delete an adaptation."""
        self._connection.send(adaptations.delete(adaptation))
