"""An evaluation's job, made from a request's body and what the service has. Reads rows; writes none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.datasets.service import DatasetService
from services.errors import Invalid
from services.ids import new_id
from services.jobs.configuration import document
from services.jobs.cost import environment_bytes
from services.jobs.evaluation_config import draft_of, recorded_tasks, resolve_evaluation
from services.jobs.faults import as_fault
from services.jobs.records import Job, Publish, new_job
from services.registry.service import RegistryService


def new_evaluation(
    body: Mapping[str, Any],
    token: str | None,
    registry: RegistryService,
    datasets: DatasetService,
    now: datetime,
    max_bytes: int,
) -> Job:
    """The job, for the version that the reference means now. Raises Invalid with pointers into the body.

    `max_bytes` is the memory that a worker has for the tasks.
    """
    draft = draft_of(body)
    with as_fault("/model"):
        version = registry.resolve(draft.model)
    dataset = None
    named = draft.dataset or getattr(recorded_tasks(version), "dataset", None)
    if named:
        whose = (
            ""
            if draft.dataset
            else f", and {version.model}@{version.version} was trained on it: name another"
        )
        with as_fault("/dataset", whose):
            dataset = datasets.get(named)
    config = resolve_evaluation(draft, version, dataset)
    needed = environment_bytes(config.tasks, config.episodes)
    if needed > max_bytes:
        raise Invalid.at(
            "/episodes",
            f"so many of these tasks would take about {needed / 2**30:.1f} GiB, more than the "
            f"{max_bytes / 2**30:.1f} GiB that a worker has for them: take fewer",
        )
    job_id = new_id("job", token)
    return new_job(job_id, "evaluation", config.model, document(config), Publish(), config.episodes, now)
