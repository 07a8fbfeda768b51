"""From what a caller asked for to a complete evaluation. Pure: knows no row, no file and no tensor.

The tasks are those of the version's own record, with their held-out side; or every class of another dataset.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from models.spec import EnvironmentSpec, GroupSpec, LabelledSpec, Signature, TaskFamilySpec, signature_of
from services.datasets.records import Dataset
from services.errors import Fault, Invalid
from services.jobs.faults import fault_of
from services.registry.records import ModelVersion

# What only the other type of job has.
_TRAINING = ("recipe", "overrides", "learner", "tasks", "training", "publish")
EVALUATION = ("episodes", "seed", "dataset")

_EPISODES, _POLICY_TASKS = 600, 40
_SHOTS = (1, 2, 3, 5, 10)
_N_WAY, _N_QUERY = 5, 5


class EvaluationDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request says; `model` is a reference, and `episodes` are tasks where the version is a policy."""

    type: str
    model: str
    episodes: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    dataset: str | None = None


class EvaluationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of it, stored with the job. `shots` are those of the curve, as far as the tasks have them.

    `whole` says that every class of the dataset is drawn from, for it is not the one that the version learned from.
    """

    model: str
    version: int
    episodes: int
    seed: int
    shots: tuple[int, ...]
    whole: bool
    tasks: TaskFamilySpec


def draft_of(body: Mapping[str, Any]) -> EvaluationDraft:
    """The draft of a request's body. Raises Invalid, with a pointer to what is wrong."""
    if given := [name for name in _TRAINING if body.get(name) is not None]:
        raise Invalid(
            "an evaluation trains nothing",
            [Fault(f"/{name}", "belongs to a job of type meta_training") for name in given],
        )
    if not isinstance(body.get("model"), str):
        raise Invalid.at("/model", "name the version to evaluate: name, name@alias or name@3")
    present = {name: value for name, value in body.items() if value is not None and name not in _TRAINING}
    try:
        return msgspec.convert(present, EvaluationDraft)
    except msgspec.ValidationError as error:
        fault = fault_of(error)
        raise Invalid(f"the evaluation is not valid: {fault.detail}", (fault,)) from error


def refuse_evaluation_fields(body: Mapping[str, Any]) -> None:
    """A meta-training says these elsewhere. Raises Invalid."""
    if given := [name for name in EVALUATION if body.get(name) is not None]:
        raise Invalid(
            "these belong to an evaluation",
            [Fault(f"/{name}", 'only beside "type": "evaluation"') for name in given],
        )


def recorded_tasks(version: ModelVersion) -> TaskFamilySpec | None:
    """The tasks that a version was trained on, as its record has them; None where it has none that fit."""
    try:
        tasks: TaskFamilySpec = msgspec.convert(version.training.get("tasks"), TaskFamilySpec)
    except msgspec.ValidationError:
        return None
    return tasks


def resolve_evaluation(
    draft: EvaluationDraft, version: ModelVersion, dataset: Dataset | None
) -> EvaluationConfig:
    """The complete evaluation; `dataset` is the one that the draft names. Raises Invalid."""
    tasks = recorded_tasks(version)
    own = tasks is not None and getattr(tasks, "dataset", None)
    whole = dataset is not None and dataset.id != own
    if dataset is not None and whole:
        tasks = _tasks_of(dataset, version, tasks)
    if tasks is None:
        raise Invalid.at(
            "/dataset",
            f"nothing is recorded of the tasks that {version.model}@{version.version} was trained on: name a "
            "dataset",
        )
    if not hasattr(tasks, "dataset") and not _is_of(version, tasks):
        raise Invalid.at(
            "/model",
            f"{version.model}@{version.version} takes other inputs, or answers otherwise, than the tasks of its "
            "own record ask for: it was made elsewhere, and the record is not of it",
        )
    if isinstance(tasks, LabelledSpec):
        # By what the version itself reads, whatever the record of its training says.
        tasks = msgspec.structs.replace(tasks, class_names=version.signature.class_names)
    policy = isinstance(tasks, EnvironmentSpec)
    shots = () if policy else tuple(sorted({*_SHOTS, getattr(tasks, "n_shot", 1)}))
    return EvaluationConfig(
        model=version.model,
        version=version.version,
        episodes=draft.episodes or (_POLICY_TASKS if policy else _EPISODES),
        seed=draft.seed,
        shots=shots,
        whole=whole,
        tasks=tasks,
    )


def _is_of(version: ModelVersion, tasks: TaskFamilySpec) -> bool:
    """Whether the version could have been trained on tasks that need no dataset."""
    theirs, own = signature_of(tasks), version.signature
    return (theirs.inputs, theirs.targets, theirs.actions) == (own.inputs, own.targets, own.actions)


def _tasks_of(dataset: Dataset, version: ModelVersion, recorded: TaskFamilySpec | None) -> LabelledSpec:
    """Episodes of a dataset that the version was not trained on, as like its own as that dataset allows."""
    if isinstance(recorded, GroupSpec):
        raise Invalid.at(
            "/dataset",
            "a version that learned from groups of rows is evaluated on those that were held out of them: leave it "
            "out",
        )
    if version.task != "classification" or dataset.n_classes is None:
        raise Invalid.at(
            "/dataset",
            f"{version.model}@{version.version} learns {version.task} and the dataset is {dataset.kind}: only a "
            "classifier is evaluated on a dataset of classes; leave it out for the tasks of its own record",
        )
    if dataset.example_shape != version.signature.inputs.example_shape:
        raise Invalid.at(
            "/dataset",
            f"its examples are {list(dataset.example_shape)}, and the version takes "
            f"{list(version.signature.inputs.example_shape)}",
        )
    if _categories(dataset.signature) != _categories(version.signature):
        raise Invalid.at("/dataset", "its columns have other categories than the version's")
    base = recorded if isinstance(recorded, LabelledSpec) else None
    base = base or LabelledSpec(dataset="", n_way=_N_WAY, n_query=_N_QUERY)
    n_way = min(base.n_way, dataset.n_classes, version.max_ways or base.n_way)
    if n_way < 2:
        raise Invalid.at("/dataset", "it has one class, and an episode needs two")
    return msgspec.structs.replace(
        base,
        dataset=dataset.id,
        n_way=n_way,
        within_task=base.within_task and bool(dataset.n_tasks),
        test_tasks=(),
        min_way=None,
        max_way=None,
        min_shot=None,
        max_shot=None,
    )


def _categories(signature: Signature) -> list[tuple[str, ...]]:
    """Of every column that has any, in order."""
    return [tuple(column.categories) for column in signature.columns if column.categories]
