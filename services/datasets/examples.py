"""What a reader found in a file, and the rules that hold whatever the format. Knows no format."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.spec import ColumnSpec
from services.datasets.labels import Labels, check_names
from services.datasets.limits import DatasetLimits
from services.datasets.records import LabelledArrays
from services.errors import Invalid, TooLarge

Array = np.ndarray[Any, Any]

_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Examples:
    """n examples as they were uploaded."""

    inputs: Array  # numbers [n], [n, D], [n, H, W] or [n, H, W, C]; series [n, T] or [n, T, C]; texts, objects [n]
    targets: Labels | Array  # labels, or numbers [n] or [n, T]
    tasks: Labels | None
    columns: tuple[ColumnSpec, ...] = ()  # of a table, D of them
    order: Array | None = None  # numbers [n]: the rows are to be kept in the order of these
    are_series: bool = False


def normalise(examples: Examples, limits: DatasetLimits) -> LabelledArrays:
    """The examples as models are trained on them. Raises Invalid, TooLarge."""
    inputs = (_series if examples.are_series else _inputs)(examples.inputs, limits)
    n_examples = len(inputs)
    if n_examples == 0:
        raise Invalid("there are no examples in the file")
    if n_examples > limits.examples:
        raise TooLarge(f"{n_examples} examples; at most {limits.examples} are taken")
    tasks = examples.tasks
    if tasks is not None:
        check_names(tasks, "tasks", limits.label_characters)
        _check_length("tasks", len(tasks.codes), n_examples)
    targets, classes = _targets(examples.targets, n_examples, limits)
    codes = None if tasks is None else tasks.codes
    if examples.order is not None:
        places = np.argsort(_finite(examples.order, "the order", np.float64), kind="stable")
        inputs, targets = inputs[places], targets[places]
        codes = None if codes is None else codes[places]
    return LabelledArrays(
        inputs=inputs,
        targets=targets,
        classes=classes,
        tasks=codes,
        task_names=() if tasks is None else tasks.names,
        columns=examples.columns,
    )


def _inputs(inputs: Array, limits: DatasetLimits) -> Array:
    if inputs.dtype == np.object_:
        return _texts(inputs, limits)
    if inputs.dtype.kind not in "biuf":
        raise Invalid(
            f"inputs must be numbers, not {inputs.dtype}; texts come as a column of a CSV or Parquet table"
        )
    if inputs.ndim == 1:
        inputs = inputs[:, None]
    if inputs.ndim == 2:
        if not 1 <= inputs.shape[1] <= limits.input_width:
            raise Invalid(f"an input has 1 to {limits.input_width} numbers, not {inputs.shape[1]}")
        return _finite(inputs, "inputs")
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.ndim != 4:
        raise Invalid(f"inputs are [n, D], [n, H, W] or [n, H, W, C], not {list(inputs.shape)}")
    _, height, width, channels = inputs.shape
    if channels not in _CHANNELS:
        raise Invalid(f"images have 1 or 3 channels, the last dimension; these have {channels}")
    if not (1 <= height <= limits.image_side and 1 <= width <= limits.image_side):
        raise Invalid(f"images are 1 to {limits.image_side} pixels wide and high, not {height} x {width}")
    return _pixels(inputs)


def _texts(texts: Array, limits: DatasetLimits) -> Array:
    for row, text in enumerate(texts):
        if not text.strip():
            raise Invalid(f"example {row} (from 0) is an empty text")
        if len(text) > limits.text_characters:
            raise Invalid(
                f"example {row} (from 0) has {len(text)} characters; at most {limits.text_characters} are taken"
            )
    return texts


def _series(series: Array, limits: DatasetLimits) -> Array:
    if series.dtype.kind not in "biuf":
        raise Invalid(f"series must be numbers, not {series.dtype}")
    if series.ndim == 2:
        series = series[..., None]
    if series.ndim != 3:
        raise Invalid(f"series are [n, T] or [n, T, C], not {list(series.shape)}")
    _, steps, channels = series.shape
    if not 1 <= steps * channels <= limits.input_width:
        detail = f"a series has 1 to {limits.input_width} numbers, not {steps} steps of {channels}"
        raise Invalid(detail)
    return _finite(series, "series")


def _pixels(images: Array) -> Array:
    if images.dtype.kind == "f":
        pixels = _finite(images, "inputs")
        if pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise Invalid(
                "images in floating point lie in 0..1; store 0..255 as uint8, and series in an array 'series'"
            )
        return pixels
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255)
    if images.size and not (images.min() >= 0 and images.max() <= 255):
        raise Invalid("images in whole numbers lie in 0..255")
    return np.ascontiguousarray(images, dtype=np.uint8)


def _targets(
    targets: Labels | Array, n_examples: int, limits: DatasetLimits
) -> tuple[Array, tuple[str, ...]]:
    if isinstance(targets, Labels):
        check_names(targets, "labels", limits.label_characters)
        _check_length("targets", len(targets.codes), n_examples)
        if len(targets.names) < 2:
            raise Invalid(f"every example is of the class {targets.names[0]!r}; at least two are needed")
        return targets.codes, targets.names
    if targets.ndim == 1:
        targets = targets[:, None]
    if targets.ndim != 2 or not 1 <= targets.shape[1] <= limits.input_width:
        raise Invalid(f"regression targets are [n] or [n, T], not {list(targets.shape)}")
    _check_length("targets", len(targets), n_examples)
    return _finite(targets, "targets"), ()


def _check_length(what: str, length: int, n_examples: int) -> None:
    if length != n_examples:
        raise Invalid(f"{n_examples} inputs, but {length} {what}")


def _finite(numbers: Array, what: str, kind: Any = np.float32) -> Array:
    with np.errstate(over="ignore"):  # a double too large for a float becomes infinite, and is refused here
        narrow = np.ascontiguousarray(numbers, dtype=kind)
    sound = np.isfinite(narrow)
    if not sound.all():
        row = int(np.argwhere(~sound)[0][0])
        raise Invalid(
            f"{what} must be finite {np.dtype(kind)} numbers; example {row} (from 0) has one that is not"
        )
    return narrow
