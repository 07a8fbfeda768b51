"""Whether the parts of a configuration fit one another and the dataset: said at once, not after queueing. Pure.

What only the examples themselves can tell (tasks with too few classes) is found when the job prepares.
"""

from collections.abc import Iterator

import msgspec

from models.spec import (
    EncoderSpec,
    GroupSpec,
    InputKind,
    LabelledSpec,
    LifetimeSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    Signature,
    TablesSpec,
    TableTransformerSpec,
    Task,
    signature_of,
)
from models.training.config import MetaTrainingConfig
from services.errors import Fault, Invalid
from services.jobs.cost import examples_of, step_bytes
from services.jobs.few_classes import TURNS, fewer_ways

_NETWORKS: dict[InputKind, str] = {
    "texts": "encoder",
    "vectors": "mlp",
    "series": "conv1d or series_transformer",
    "images": "conv4 or resnet12",
}
_MISMATCHES: dict[Task, str] = {
    "regression": "these targets are numbers, and this algorithm learns {tasks}: use maml or ridge",
    "classification": "these targets are labels, and this algorithm learns {tasks}: use protonet, ridge or maml",
    "policy": "these tasks are environments, and this algorithm learns {tasks}: use maml_policy",
}

_CALLED_SERIES = "; an npz's array is taken for series where it is called `series`, and not `inputs`"

# Networks without a weight that Muon would move.
_BY_ADAM = (EncoderSpec, RowTransformerSpec, TableTransformerSpec)


class Traits(msgspec.Struct, frozen=True):
    """What has to be known of a dataset: one example's shape, (), (D,), (T, C) or (H, W, C), and how many.

    `class_sizes` says of how many examples how many classes are; empty where that is not known. `signature` is
    that of a table, with its columns.
    """

    example_shape: tuple[int, ...]
    n_classes: int
    n_tasks: int
    class_sizes: tuple[tuple[int, int], ...] = ()
    signature: Signature | None = None


def check(
    config: MetaTrainingConfig, traits: Traits | None, max_step_bytes: int, prefix: str = ""
) -> Signature:
    """The signature that the trained model will have; `traits` belong to the dataset of labelled tasks.

    `max_step_bytes` is the memory that one outer step may take.

    Raises Invalid with every fault, pointers below `prefix`.
    """
    if isinstance(config.tasks, GroupSpec) and traits is not None:
        faults = list(_group_faults(config.tasks, traits))
        if faults:
            raise _invalid(faults, prefix)
    signature = signature_of(
        config.tasks, *((traits.example_shape, traits.signature) if traits else (None, None))
    )
    faults = list(_faults(config, signature))
    if isinstance(config.tasks, LabelledSpec) and traits is not None:
        if config.tasks.train_ways is not None and config.learner.algorithm.has_output_layer:
            detail = "this algorithm has one output for each class of an episode: train with n_way itself"
            faults.append(Fault("/tasks/train_ways", detail))
        faults += _dataset_faults(config.tasks, traits)
    if not faults and (needed := step_bytes(config, signature)) > max_step_bytes:
        faults.append(
            Fault(
                "/training/meta_batch_size",
                f"one outer step would take about {needed / 2**30:.1f} GiB, more than the "
                f"{max_step_bytes / 2**30:.1f} GiB that a worker has for it: "
                "lower meta_batch_size, n_way, n_shot, n_query, n_trajectories, horizon or inner_steps, or take "
                "smaller tasks",
            )
        )
    if faults:
        raise _invalid(faults, prefix)
    return signature


def _invalid(faults: list[Fault], prefix: str) -> Invalid:
    placed = [Fault(prefix + fault.pointer, fault.detail) for fault in faults]
    return Invalid(f"the configuration does not fit together: {placed[0].detail}", placed)


def _faults(config: MetaTrainingConfig, signature: Signature) -> Iterator[Fault]:
    network, algorithm = config.learner.network, config.learner.algorithm
    name = type(network).__struct_config__.tag
    kind = "vectors" if isinstance(network, EncoderSpec) else signature.input_kind
    if network.takes != kind:
        yield Fault(
            "/learner/network/name",
            f"{name} takes {network.takes}, and these inputs are {kind}: use {_NETWORKS[kind]}"
            f"{_CALLED_SERIES if (network.takes, kind) == ('series', 'images') else ''}",
        )
    elif kind == "images" and min(signature.inputs.example_shape[:2]) < network.smallest_image:
        side = network.smallest_image
        yield Fault(
            "/learner/network/name",
            f"{name} needs images of at least {side}x{side} pixels; resnet12 takes any",
        )
    if config.learner.normalise and (signature.task != "regression" or kind != "vectors"):
        yield Fault(
            "/learner/normalise", "only regression on vectors is normalised by a task's own support set"
        )
    if config.learner.views > 1 and kind != "images":
        yield Fault("/learner/views", f"only images have several views, and these inputs are {kind}")
    if config.learner.turns > 1 and not (kind == "images" and signature.is_square_image):
        yield Fault("/learner/turns", f"only square images are turned, and these inputs are {kind}")
    of_tables = isinstance(network, TableTransformerSpec | RowTransformerSpec)
    if of_tables != isinstance(algorithm, PriorFittedSpec):
        yield Fault(
            "/learner/network/name",
            "prior_fitted goes with row_transformer or table_transformer, and neither with any other",
        )
    elif isinstance(config.tasks, TablesSpec) and not of_tables:
        yield Fault(
            "/learner/algorithm/name",
            "some of these tables have missing values, which prior_fitted alone takes",
        )
    if isinstance(network, EncoderSpec) and network.is_tuned:
        yield from _tuning_faults(config, signature)
    if config.training.outer is not None and signature.task != "policy":
        yield Fault("/training/outer", "only policies have a choice of outer steps: leave it out")
    yield from _pretrain_faults(config, signature)
    if config.training.optimizer != "adam" and (signature.task == "policy" or isinstance(network, _BY_ADAM)):
        yield Fault(
            "/training/optimizer",
            "policies, prior_fitted's networks and what is learned on an encoder are trained by adam: leave it out",
        )
    if config.training.precision != "float32" and (kind != "images" or algorithm.gradient_steps):
        yield Fault(
            "/training/precision",
            "only networks of images are rounded, under algorithms without gradient steps: leave it out",
        )
    if isinstance(config.training.outer, LifetimeSpec) and config.training.meta_batch_size != 1:
        yield Fault("/training/meta_batch_size", "a lifetime has one task at a time: set it to 1")
    if signature.task not in algorithm.tasks:
        yield Fault(
            "/learner/algorithm/name", _MISMATCHES[signature.task].format(tasks=" and ".join(algorithm.tasks))
        )
    elif (
        isinstance(config.tasks, GroupSpec)
        and signature.task == "classification"
        and not algorithm.has_output_layer
    ):
        yield Fault(
            "/learner/algorithm/name",
            "the classes of these tasks are always the same, and a support set need not show them all: this "
            "algorithm knows a class only from its examples; use maml, or the family labelled within_task",
        )

    support, _ = examples_of(config)
    bound = config.learner.support_bound
    if bound is not None and support > bound:
        yield Fault(
            "/learner/algorithm/max_support",
            f"an episode has up to {support} support examples{_names_counted(config)}, and this learner keeps "
            f"{bound}",
        )


def _names_counted(config: MetaTrainingConfig) -> str:
    tasks = config.tasks
    return ", names of classes counted" if isinstance(tasks, LabelledSpec) and tasks.class_names else ""


def _group_faults(tasks: GroupSpec, traits: Traits) -> Iterator[Fault]:
    if traits.signature is None or len(traits.example_shape) != 1:
        yield Fault(
            "/tasks/family", "grouped tasks take rows of numbers and categories, not images or series"
        )
    elif traits.n_tasks < 2:
        yield Fault(
            "/tasks/dataset",
            "the dataset needs at least two tasks, one of them held out for the meta-test: name the column that "
            "tells them apart when you upload it (task=…)",
        )
    elif len(tasks.test_tasks) >= traits.n_tasks:
        yield Fault("/tasks/test_tasks", "no task is left for meta-training")
    if tasks.min_shot > tasks.max_shot:
        yield Fault("/tasks/min_shot", f"min_shot {tasks.min_shot} is above max_shot {tasks.max_shot}")


def _pretrain_faults(config: MetaTrainingConfig, signature: Signature) -> Iterator[Fault]:
    algorithm, network, why = config.learner.algorithm, config.learner.network, ""
    if signature.task == "policy":
        why = "policies are not pretrained"
    elif isinstance(network, EncoderSpec) and network.is_tuned:
        why = "a tuned encoder was pretrained by others"
    elif isinstance(algorithm, PriorFittedSpec):
        why = "prior_fitted's network answers only from a support set, so there is nothing to pretrain"
    elif algorithm.further_inputs:
        why = "this algorithm's network has inputs of its own, so it cannot be pretrained apart from it"
    elif config.learner.members > 1:
        why = "the members of an ensemble would all begin with the same network"
    if why and config.training.pretrain is not None:
        yield Fault("/training/pretrain", f"{why}: leave it out")


def _tuning_faults(config: MetaTrainingConfig, signature: Signature) -> Iterator[Fault]:
    pointer, algorithm = "/learner/network/tuning", config.learner.algorithm
    if not (signature.is_text or signature.is_image):
        yield Fault(pointer, "only encoders of texts or images are tuned, and this dataset holds neither")
    if algorithm.gradient_steps or algorithm.has_output_layer:
        yield Fault(pointer, "a tuned encoder is the same for all tasks: use auto, protonet or ridge")
    if config.learner.members > 1:
        yield Fault("/learner/members", "the members of an ensemble would each need an encoder of their own")
    if isinstance(config.tasks, LabelledSpec) and config.tasks.dropout:
        yield Fault(
            "/tasks/dropout", "neither tokens nor pixels have a mean to become: dropout is for features"
        )


def _dataset_faults(tasks: LabelledSpec, traits: Traits) -> Iterator[Fault]:
    shape = traits.example_shape
    if tasks.rotations and not (len(shape) == 3 and shape[0] == shape[1]):
        yield Fault("/tasks/rotations", "only square images can be turned")
    if tasks.class_names and shape:
        detail = (
            "only of texts is a class's name an example too, and this dataset holds none: set it to false"
        )
        yield Fault("/tasks/class_names", detail)
    if tasks.invented and not (len(shape) == 3 and shape[-1] == 1):
        yield Fault("/tasks/invented", "only characters are invented, and they are images of one channel")
    for name in ("augment", "task_augment"):
        if getattr(tasks, name) is not None and len(shape) != 3:
            yield Fault(f"/tasks/{name}", "only images can be warped")
    shots, ways = tasks.fewest_shots, tasks.fewest_ways
    taken = shots + tasks.n_query
    for what, low, high, given in (
        ("way", ways, tasks.most_test_ways, tasks.max_way or tasks.min_way),
        ("shot", shots, tasks.most_shots, tasks.max_shot or tasks.min_shot),
    ):
        if given and (getattr(tasks, f"max_{what}") is None or low > high):
            yield Fault(f"/tasks/min_{what}", f"min_{what} goes with a max_{what} that is not below it")
            return
    usable = sum(classes for size, classes in traits.class_sizes if size >= taken)
    if traits.class_sizes and not usable:
        largest = max(size for size, _ in traits.class_sizes)
        yield Fault(
            "/tasks/n_query",
            f"an episode takes n_shot + n_query = {taken} examples of a class, and the largest has {largest}",
        )
        return
    if tasks.within_task:
        if traits.n_tasks < 2:
            yield Fault(
                "/tasks/within_task",
                "the dataset needs at least two tasks, one of them held out for the meta-test",
            )
        elif len(tasks.test_tasks) >= traits.n_tasks:
            yield Fault("/tasks/test_tasks", "no task is left for meta-training")
        return
    if tasks.test_tasks:
        yield Fault("/tasks/test_tasks", "tasks are held out only where within_task is true")
    train_ways = tasks.fewest_train_ways
    needed = ways + (-(-train_ways // TURNS) if tasks.rotations else train_ways)
    classes = usable if traits.class_sizes else traits.n_classes
    if classes < needed:
        small = f" of at least n_shot + n_query = {taken} examples" if classes < traits.n_classes else ""
        if small and traits.n_classes >= needed:
            pointer, advice = "/tasks/n_query", ": lower n_shot or n_query"
        else:
            pointer, advice = fewer_ways(tasks, classes)
        yield Fault(
            pointer,
            f"{train_ways}-way episodes need {needed} classes{small}, {ways} of them held out for the "
            f"meta-test, and the dataset has {classes}{advice}",
        )
