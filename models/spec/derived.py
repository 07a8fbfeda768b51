"""What follows from a family of tasks and a learner before anything is built: signature and most classes."""

from models.spec.environments import EnvironmentSpec, action_space, observation_width
from models.spec.learner import LearnerSpec
from models.spec.networks import EncoderSpec, NetworkSpec
from models.spec.signature import INPUT_KINDS, Signature, TensorSpec
from models.spec.tasks import GroupSpec, LabelledSpec, TablesSpec, TaskFamilySpec


def signature_of(
    tasks: TaskFamilySpec, example_shape: tuple[int, ...] | None = None, data: Signature | None = None
) -> Signature:
    """The signature of a learner trained on `tasks`.

    `example_shape` is one example of the dataset as it crosses the wire: (D,) for vectors, (T, C) for series,
    (H, W, C) for images, () for texts; None for families made from a formula. `data` is the dataset's signature,
    with the columns' standardisation once that is measured: grouped tasks have it themselves.

    Raises ValueError where one is missing.
    """
    if isinstance(tasks, GroupSpec):
        if data is None:
            raise ValueError("grouped tasks have the signature of their dataset, and none was given")
        if data.input_kind != "vectors":
            raise ValueError("grouped tasks take rows of numbers and categories, not images, series or texts")
        return data
    if isinstance(tasks, TablesSpec):
        classes = TensorSpec(datatype="BYTES", shape=(-1,))
        number = TensorSpec(datatype="FP32", shape=(-1, 1))
        return Signature(
            inputs=TensorSpec(datatype="FP32", shape=(-1, tasks.columns)),
            targets=classes if tasks.task == "classification" else number,
        )
    if isinstance(tasks, EnvironmentSpec):
        return Signature.of_policy(observation_width(tasks), action_space(tasks))
    if not isinstance(tasks, LabelledSpec):
        column = TensorSpec(datatype="FP32", shape=(-1, 1))
        return Signature(inputs=column, targets=column)
    if example_shape is None:
        raise ValueError("a labelled family has the signature of its dataset, and none was given")
    if len(example_shape) not in INPUT_KINDS:
        raise ValueError(
            f"an example is a text (), (D,), a series (T, C) or an image (H, W, C), not {example_shape}"
        )
    return Signature(
        inputs=TensorSpec(datatype="FP32" if example_shape else "BYTES", shape=(-1, *example_shape)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
        columns=data.columns if data is not None else (),
        class_names=tasks.class_names,
    )


def learned_signature(network: NetworkSpec, signature: Signature) -> Signature:
    """What the learner itself takes: an encoder's features in place of the inputs.

    The same again where it is that already. Raises ValueError for an encoder whose width is not known yet.
    """
    if not isinstance(network, EncoderSpec):
        return signature
    if network.width is None:
        raise ValueError(f"the encoder {network.encoder} was not looked up: its width is not known")
    features = TensorSpec(datatype="FP32", shape=(-1, network.width))
    return Signature(inputs=features, targets=signature.targets, class_names=signature.class_names)


def max_ways_of(
    learner: LearnerSpec, tasks: TaskFamilySpec, signature: Signature | None = None
) -> int | None:
    """The most classes that one task of the trained learner may have; None for no bound, and for regression.

    A `signature` with classes has those, whatever the algorithm.

    An algorithm with an output layer has one output for each class of its training episodes; the others learn none.
    """
    if signature is not None and signature.classes:
        return len(signature.classes)
    if not learner.algorithm.has_output_layer:
        return None
    if isinstance(tasks, LabelledSpec):
        return tasks.most_ways
    if isinstance(tasks, TablesSpec) and tasks.task == "classification":
        return tasks.classes
    return None


def columns_of(learner: LearnerSpec, signature: Signature) -> range | None:
    """How many columns a table may have, where these are not the signature's alone; None where they are.

    Columns that have names are all there: nobody could say which of them were left out.
    """
    if not learner.algorithm.takes_fewer_columns or signature.columns or signature.input_kind != "vectors":
        return None
    return range(1, signature.inputs.shape[-1] + 1)


def network_inputs_of(learner: LearnerSpec, signature: Signature) -> TensorSpec:
    """What the learner's network takes: the signature's inputs, and columns or channels of its algorithm's own."""
    inputs = learned_signature(learner.network, signature).inputs
    *before, last = inputs.shape
    return TensorSpec(datatype=inputs.datatype, shape=(*before, last + learner.algorithm.further_inputs))
