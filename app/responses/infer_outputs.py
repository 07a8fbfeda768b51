"""What an adaptation answers in the Open Inference Protocol: named tensors, of a prediction or of its promise.

Regression: `value`, and `std` where the learner gives one. Classification: `probabilities`, and `label` as BYTES
or INT64, as the labels came in. A policy: its likeliest `action`, with `mean` and `std` or `probabilities`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from innerloop.schemas.inference import TensorMetadata
from innerloop.schemas.tensors import Datatype
from models.spec import DiscreteSpace
from services.adaptation.records import Classes, PredictionBatch
from services.adaptation.starts import ServedAdaptation
from services.adaptation.versions import ServedVersion
from services.errors import Invalid

Array = np.ndarray[Any, Any]

VALUE, STD, PROBABILITIES, LABEL = "value", "std", "probabilities", "label"
ACTION, MEAN = "action", "mean"


class Output(NamedTuple):
    """One tensor, its first side the examples. `values` is float32 or int64 in that shape, or texts, flat."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    values: Array | list[str]


def output_metadata(served: ServedAdaptation) -> list[TensorMetadata]:
    """What queries of this adaptation will be answered, in the order in which they will."""
    classes, version = served.adaptation.classes, served.version
    if classes is not None:
        return [
            TensorMetadata(name=PROBABILITIES, datatype="FP32", shape=[-1, len(classes)]),
            TensorMetadata(name=LABEL, datatype=_label_datatype(classes), shape=[-1]),
        ]
    actions = version.signature.actions
    if isinstance(actions, DiscreteSpace):
        return [
            TensorMetadata(name=ACTION, datatype="INT64", shape=[-1]),
            TensorMetadata(name=PROBABILITIES, datatype="FP32", shape=[-1, actions.n]),
        ]
    names = (ACTION, MEAN, STD) if actions is not None else _values_of(version)
    return [
        TensorMetadata(name=name, datatype="FP32", shape=[-1, version.signature.target_width])
        for name in names
    ]


def _values_of(version: ServedVersion) -> tuple[str, ...]:
    return (VALUE, STD) if version.learner.algorithm.gives_std else (VALUE,)


def outputs_of(batch: PredictionBatch) -> dict[str, Output]:
    """Every output of a prediction by name."""
    if batch.actions is not None:
        return _by_name(*_actions(batch))
    if batch.probabilities is not None:
        assert batch.classes is not None
        labels = [batch.classes[winner] for winner in batch.probabilities.argmax(axis=1).tolist()]
        return _by_name(_numbers(PROBABILITIES, batch.probabilities), _labels(labels, batch.classes))
    assert batch.values is not None
    value = _numbers(VALUE, batch.values)
    return _by_name(value) if batch.stds is None else _by_name(value, _numbers(STD, batch.stds))


def _actions(batch: PredictionBatch) -> Iterator[Output]:
    assert batch.actions is not None
    if batch.probabilities is not None:
        yield Output(ACTION, "INT64", batch.actions.shape, batch.actions)
        yield _numbers(PROBABILITIES, batch.probabilities)
        return
    assert batch.values is not None
    assert batch.stds is not None
    yield _numbers(ACTION, batch.actions.astype(np.float32))
    yield _numbers(MEAN, batch.values)
    yield _numbers(STD, batch.stds)


def classification(output: Output, k: int, classes: Classes | None, pointer: str) -> Output:
    """The k highest values of each example as BYTES [N, k]: "value:index", and ":label" where there are classes.

    Raises Invalid, at `pointer`, for the output that is a label already.
    """
    if output.name == LABEL:
        raise Invalid.at(pointer, f"{LABEL!r} has no values to order: ask this of {PROBABILITIES!r}")
    assert isinstance(output.values, np.ndarray)
    highest = np.argsort(-output.values, axis=1, kind="stable")[:, :k]
    ends = [f":{index}" for index in range(output.shape[1])]
    if classes is not None:
        ends = [f"{end}:{label}" for end, label in zip(ends, classes, strict=True)]
    texts = [
        # numpy's own text of a float32 is the shortest that reads back as it.
        f"{row[index]}{ends[index]}"
        for row, indices in zip(output.values, highest.tolist(), strict=True)
        for index in indices
    ]
    return Output(output.name, "BYTES", highest.shape, texts)


def _numbers(name: str, values: Array) -> Output:
    return Output(name, "FP32", values.shape, values)


def _labels(labels: Classes, classes: Classes) -> Output:
    datatype, shape = _label_datatype(classes), (len(labels),)
    if datatype == "INT64":
        return Output(LABEL, datatype, shape, np.array(labels, np.int64))
    return Output(LABEL, datatype, shape, [str(label) for label in labels])


def _label_datatype(classes: Classes) -> Datatype:
    # A label keeps its type, and one support set's labels are all of one type.
    return "INT64" if isinstance(classes[0], int) else "BYTES"


def _by_name(*outputs: Output) -> dict[str, Output]:
    return {output.name: output for output in outputs}
