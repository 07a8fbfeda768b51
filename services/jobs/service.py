"""What callers do with jobs: submit, look, cancel, pause, resume. Trains nothing and imports no torch.

Submitting writes the row and its first event, then puts the job into the queue. A crash in between costs a
second or two: a worker finds the row that no workflow carries and enqueues it itself.
"""

import logging
from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

from models.encoders.folder import EncoderError, Modality
from models.encoders.shelf import EncoderShelf
from models.spec import EncoderSpec, GroupSpec, LabelledSpec, TaskFamilySpec
from models.training.config import MetaTrainingConfig
from models.training.recipes import RECIPES, Recipe
from services.clock import Clock
from services.datasets.repository import dataset_row
from services.datasets.service import DatasetService
from services.errors import Conflict, Invalid, NotFound, Unavailable
from services.ids import new_id
from services.jobs.carrier import Carrier
from services.jobs.configuration import document, resolve
from services.jobs.evaluation_config import refuse_evaluation_fields
from services.jobs.evaluation_job import new_evaluation
from services.jobs.faults import as_fault, fault_of
from services.jobs.liveness import SILENCE, heartbeats, is_alive
from services.jobs.records import CheckpointRecord, Job, JobEvent, Publish, new_job
from services.jobs.repository import JobRepository
from services.jobs.states import JobState
from services.jobs.suitability import Traits, check
from services.registry.names import check_alias, check_model_name
from services.registry.service import RegistryService
from services.storage.database import Database
from services.storage.paging import DEFAULT_LIMIT, Page

MAX_EVENTS = 1000

# By the dimensions of one example.
_MODALITIES: dict[int, Modality] = {0: "text", 3: "image"}

_log = logging.getLogger(__name__)


class JobService:
    """Every method is one transaction on the service's tables, at most."""

    def __init__(
        self,
        database: Database,
        carrier: Carrier,
        datasets: DatasetService,
        registry: RegistryService,
        clock: Clock,
        max_step_bytes: int,
        max_queued: int = 1000,
        encoders: EncoderShelf | None = None,
    ) -> None:
        """`max_step_bytes` is the memory that one outer step of a job may take, as estimated."""
        self._encoders = encoders or EncoderShelf(None)
        self._database = database
        self._carrier = carrier
        self._datasets = datasets
        self._registry = registry
        self._clock = clock
        self._max_step_bytes = max_step_bytes
        self._max_queued = max_queued
        self._recipes = {recipe.name: recipe for recipe in RECIPES}

    def recipes(self) -> tuple[Recipe, ...]:
        """The built-in configurations."""
        return RECIPES

    def submit(self, draft: Mapping[str, Any], token: str | None = None) -> Job:
        """Queue the job that a request's body describes. The same `token` again answers with the job it made.

        Raises Invalid with pointers into the draft; Unavailable where too many jobs wait already.
        """
        kind = draft.get("type") or "meta_training"
        if kind == "evaluation":
            made = new_evaluation(
                draft, token, self._registry, self._datasets, self._clock.now(), self._max_step_bytes
            )
            return self._queue(made, made.config["tasks"].get("dataset"), "/dataset")
        if kind != "meta_training":
            raise Invalid.at("/type", "a job is a meta_training (the default) or an evaluation")
        refuse_evaluation_fields(draft)
        model, publish = _target(draft)
        config = resolve(draft, self._recipes)
        prefix = "" if draft.get("recipe") is None else "/overrides"
        traits = self._traits(config, prefix)
        config = self._with_encoder(config, traits, prefix)
        check(config, traits, self._max_step_bytes, prefix)
        job = new_job(
            new_id("job", token),
            "meta_training",
            model,
            document(config),
            publish,
            config.training.all_iterations,
            self._clock.now(),
        )
        dataset = config.tasks.dataset if needs_dataset(config.tasks) else None
        return self._queue(job, dataset, f"{prefix}/tasks/dataset")

    def _queue(self, job: Job, dataset: str | None, pointer: str) -> Job:
        """Write the job and put it into the queue, unless that was done before."""
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = jobs.get(job.id)
            if present is not None:
                return present
            if dataset is not None:
                # Looked at again under a lock: deleting the dataset looks for this job's row.
                with as_fault(pointer):
                    dataset_row(session, dataset, lock=True)
            if jobs.counts()[JobState.QUEUED.value] >= self._max_queued:
                raise Unavailable(f"{self._max_queued} jobs are queued already; wait for some to run", 30.0)
            jobs.add(job)
            jobs.append(job.id, "status", job.document, job.created_at)
        self._enqueue(job)
        return job

    def jobs(
        self,
        limit: int = DEFAULT_LIMIT,
        after: str | None = None,
        status: JobState | None = None,
        model: str | None = None,
    ) -> Page[Job]:
        """Jobs, newest first, of one status and one model where given."""
        with self._database.read() as session:
            return JobRepository(session).page(limit, after, status, model)

    def job(self, job_id: str) -> Job:
        """One job. Raises NotFound."""
        with self._database.read() as session:
            return _found(JobRepository(session).get(job_id), job_id)

    def cancel(self, job_id: str) -> Job:
        """End the job now; a worker that runs it stops within about a second. Raises NotFound, Conflict."""
        return self._move(job_id, JobState.CANCELLED, finished_at=self._clock.now(), worker=None)

    def pause(self, job_id: str) -> Job:
        """Stop the job, to go on from a checkpoint when it is resumed. Raises NotFound, Conflict."""
        return self._move(job_id, JobState.PAUSED)

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again. Raises NotFound, Conflict."""
        job = self._move(job_id, JobState.QUEUED, worker=None)
        self._enqueue(job)
        return job

    def events(self, job_id: str, after: int | str | None = None, limit: int = 100) -> Page[JobEvent]:
        """A job's events, oldest first, behind the one that `after` names by sequence or id.

        `next` is the id of the page's last event where more follow. Raises NotFound, Invalid.
        """
        if not 1 <= limit <= MAX_EVENTS:
            raise Invalid(f"limit must lie between 1 and {MAX_EVENTS}")
        with self._database.read() as session:
            jobs = JobRepository(session)
            _found(jobs.get(job_id), job_id)
            sequence = _sequence(jobs, job_id, after)
            if sequence is None:
                raise Invalid("'after' is not an event of this job")
            events = jobs.events(job_id, sequence, limit + 1)
        more = len(events) > limit
        return Page(events[:limit], events[limit - 1].id if more else None)

    def checkpoints(self, job_id: str) -> list[CheckpointRecord]:
        """The checkpoints that are kept, latest first. Raises NotFound."""
        with self._database.read() as session:
            jobs = JobRepository(session)
            _found(jobs.get(job_id), job_id)
            return jobs.checkpoints(job_id)

    def counts(self) -> dict[str, int]:
        """How many jobs there are of each status."""
        with self._database.read() as session:
            return JobRepository(session).counts()

    def workers(self) -> int:
        """How many workers are alive."""
        now = self._clock.now()
        with self._database.read() as session:
            return sum(is_alive(one, now, SILENCE) for one in heartbeats(session))

    def _move(self, job_id: str, state: JobState, **changes: Any) -> Job:
        now = self._clock.now()
        with self._database.write() as session:
            jobs = JobRepository(session)
            present = _found(jobs.locked(job_id), job_id)
            # Only a paused job is resumed, though a running one may go back to the queue on its own.
            resumed_early = state is JobState.QUEUED and present.status is not JobState.PAUSED
            if resumed_early or not present.status.may_become(state):
                raise Conflict(f"job {job_id} is {present.status}: it cannot become {state}")
            turn = present.turn + (state is JobState.QUEUED)
            progress = msgspec.structs.replace(present.progress, eta_seconds=None)
            job = jobs.change(present, state, turn=turn, progress=progress, **changes)
            jobs.append(job_id, "status", job.document, now)
        return job

    def _enqueue(self, job: Job) -> None:
        try:
            self._carrier.enqueue(job.id, job.turn)
        except Exception:
            _log.warning("not enqueued yet; a worker will do it", extra={"job": job.id}, exc_info=True)

    def _with_encoder(
        self, config: MetaTrainingConfig, traits: Traits | None, prefix: str
    ) -> MetaTrainingConfig:
        """The configuration with what is known of its encoder's files, if it has one."""
        network = config.learner.network
        if not isinstance(network, EncoderSpec):
            return config
        pointer = f"{prefix}/learner/network/encoder"
        shape = None if traits is None else traits.example_shape
        wanted: Modality | None = None if shape is None else _MODALITIES.get(len(shape))
        if wanted is None:
            detail = "an encoder takes a dataset of texts or of images, and this has neither: use mlp"
            raise Invalid.at(pointer, detail)
        try:
            files = self._encoders.files(network.encoder)
            if files.modality != wanted:
                raise EncoderError(f"it encodes {files.modality}s, and this dataset holds {wanted}s")
            network = self._encoders.resolved(network)
        except EncoderError as error:
            raise Invalid.at(pointer, str(error)) from error
        learner = msgspec.structs.replace(config.learner, network=network)
        return msgspec.structs.replace(config, learner=learner)

    def _traits(self, config: MetaTrainingConfig, prefix: str) -> Traits | None:
        if not needs_dataset(config.tasks):
            return None
        if not config.tasks.dataset:
            detail = "these tasks come from a dataset: name one that was uploaded (GET /v1/datasets)"
            raise Invalid.at(f"{prefix}/tasks/dataset", detail)
        with as_fault(f"{prefix}/tasks/dataset"):
            dataset = self._datasets.get(config.tasks.dataset)
        if dataset.n_classes is None and isinstance(config.tasks, LabelledSpec):
            raise Invalid.at(
                f"{prefix}/tasks/dataset",
                "its targets are numbers, and labelled tasks need classes; the families grouped and sequences take "
                "numbers, and a task for every row",
            )
        return Traits(
            dataset.signature.inputs.example_shape,
            dataset.n_classes or 0,
            dataset.n_tasks or 0,
            dataset.class_sizes,
            dataset.signature,
        )


def needs_dataset(tasks: TaskFamilySpec) -> TypeGuard[LabelledSpec | GroupSpec]:
    """Whether the family draws from an uploaded dataset."""
    return isinstance(tasks, LabelledSpec | GroupSpec)


def _target(draft: Mapping[str, Any]) -> tuple[str, Publish]:
    """The model's name and what to do with its new version."""
    model = draft.get("model")
    if not isinstance(model, str):
        raise Invalid.at("/model", "name the model that the job makes a version of")
    check_model_name(model)
    try:
        publish = msgspec.convert(draft.get("publish") or {}, Publish)
    except msgspec.ValidationError as error:
        fault = fault_of(error, "/publish")
        raise Invalid(fault.detail, (fault,)) from error
    if publish.alias is not None:
        check_alias(publish.alias, "/publish/alias")
    return model, publish


def _sequence(jobs: JobRepository, job_id: str, after: int | str | None) -> int | None:
    if not isinstance(after, str):
        return after or 0
    # Postgres refuses to look for text with a NUL in it.
    return jobs.sequence_of(job_id, after) if after.isprintable() else None


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"no job {job_id!r}")
    return job
