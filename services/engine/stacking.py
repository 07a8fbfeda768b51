"""From the arrays of several calls to one padded tensor, and the checks that let them in. Runs no learner."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.spec import Signature
from services.engine.messages import AnySupport, Array, Support, TrajectorySupport
from services.engine.trajectories import check_trajectories, stack_trajectories
from services.errors import Invalid


def check_inputs(array: Array, signature: Signature) -> None:
    """Raises Invalid unless the array is texts, or float32 [E, *signature] with as many bytes as that takes."""
    example = signature.inputs.example_shape
    if signature.is_text:
        return _check_texts(array)
    if array.datatype != "float32" or len(array.shape) < 1 or tuple(array.shape[1:]) != example:
        raise Invalid(
            f"inputs are {array.datatype} {list(array.shape)}; this model takes FP32 [-1, {example}]"
        )
    return _check_bytes(array, 4)


def check_support(
    support: AnySupport, signature: Signature, max_ways: int | None, most: int | None = None
) -> None:
    """Raises Invalid unless a support's arrays are what its class says, and fit the model.

    `most` are the examples that it takes, None for no bound.
    """
    if isinstance(support, TrajectorySupport):
        check_trajectories(support, signature)
        return
    if signature.actions is not None:
        raise Invalid("labelled examples; this model is a policy, and takes trajectories")
    check_inputs(support.inputs, signature)
    size = support.inputs.shape[0]
    if most is not None and size > most:
        raise Invalid(f"{size} examples; this model keeps {most} at most")
    targets = support.targets
    if signature.task == "regression":
        if targets.datatype != "float32" or tuple(targets.shape) != (size, signature.target_width):
            raise Invalid(f"targets are {targets.datatype} {list(targets.shape)} for {size} inputs")
        _check_bytes(targets, 4)
        return
    if targets.datatype != "int64" or tuple(targets.shape) != (size,):
        raise Invalid(f"targets are {targets.datatype} {list(targets.shape)} for {size} inputs")
    _check_bytes(targets, 8)
    if max_ways is not None and support.n_ways > max_ways:
        raise Invalid(f"{support.n_ways} classes; this model takes {max_ways} at most")
    slots = targets.numpy()
    if size == 0 and signature.classes and support.n_ways == len(signature.classes):
        return
    if size == 0 or support.n_ways < 1 or slots.min() < 0 or slots.max() >= support.n_ways:
        raise Invalid(f"targets are not all in the class slots 0 to {support.n_ways - 1}")
    if signature.class_names and slots[: support.n_ways].tolist() != list(range(support.n_ways)):
        raise Invalid("the first rows are not the names of the classes, one of each")


def stack_inputs(
    arrays: Sequence[Array], signature: Signature, start: int, size: int, tasks: int, device: torch.device
) -> Tensor:
    """Rows `start` to `start + size` of each of M calls, float32 [`tasks`, `size`, X], zero where there are none.

    Images become channels first.
    """
    stack = np.zeros((tasks, size, *signature.inputs.example_shape), np.float32)
    for place, array in zip(stack, arrays, strict=False):
        rows = array.numpy()[start : start + size]
        place[: len(rows)] = rows
    return _inputs_on(device, stack, signature)


def stack_supports(
    supports: Sequence[AnySupport],
    signature: Signature,
    size: int,
    slots: int,
    tasks: int,
    device: torch.device,
    steps: int = 0,
) -> list[Tensor]:
    """The supports of M calls as the tensors that their learner takes, each with a leading `tasks`.

    Labelled examples: those of `_stack_examples`; trajectories, `steps` long: those of `stack_trajectories`.
    """
    trajectories = [one for one in supports if isinstance(one, TrajectorySupport)]
    if trajectories:
        return stack_trajectories(trajectories, signature, size, steps, tasks, device)
    examples = [one for one in supports if isinstance(one, Support)]
    return _stack_examples(examples, signature, size, slots, tasks, device)


def _stack_examples(
    supports: Sequence[Support],
    signature: Signature,
    size: int,
    slots: int,
    tasks: int,
    device: torch.device,
) -> list[Tensor]:
    """The supports of M calls as the four tensors of a `SupportSet` with a leading `tasks`, zero behind M.

    `size` is S, the examples that each is given; `slots` is N, its class slots.
    """
    inputs = np.zeros((tasks, size, *signature.inputs.example_shape), np.float32)
    regression = signature.task == "regression"
    targets: np.ndarray[Any, Any] = (
        np.zeros((tasks, size, signature.target_width), np.float32)
        if regression
        else np.zeros((tasks, size), np.int64)
    )
    mask = np.zeros((tasks, size), np.float32)
    class_mask = np.zeros((tasks, 0 if regression else slots), np.float32)
    for m, support in enumerate(supports):
        rows = support.inputs.shape[0]
        inputs[m, :rows] = support.inputs.numpy()
        targets[m, :rows] = support.targets.numpy()
        mask[m, :rows] = 1.0
        if signature.class_names:
            # Without words: no encoder's features are all zero.
            mask[m, : support.n_ways] = inputs[m, : support.n_ways].any(-1)
        class_mask[m, : support.n_ways] = 1.0
    return [
        _inputs_on(device, inputs, signature),
        *(_on(device, array) for array in (targets, mask, class_mask)),
    ]


def padded(rows: Tensor, tasks: int) -> Tensor:
    """Rows [M, P] with zeros behind them, [`tasks`, P]."""
    return rows if len(rows) == tasks else torch.nn.functional.pad(rows, (0, 0, 0, tasks - len(rows)))


def _inputs_on(device: torch.device, inputs: np.ndarray[Any, Any], signature: Signature) -> Tensor:
    if signature.is_image:
        inputs = np.ascontiguousarray(np.moveaxis(inputs, -1, 2))
    return _on(device, inputs)


def _check_texts(array: Array) -> None:
    if array.datatype != "text" or len(array.shape) != 1:
        raise Invalid(f"inputs are {array.datatype} {list(array.shape)}; this model takes texts")
    try:
        array.texts()
    except ValueError as error:
        raise Invalid(f"inputs are no texts: {error}") from error


def _check_bytes(array: Array, width: int) -> None:
    expected = width * prod(array.shape)
    if len(array.data) != expected:
        raise Invalid(f"a tensor of shape {list(array.shape)} has {len(array.data)} bytes, not {expected}")


def _on(device: torch.device, array: np.ndarray[Any, Any]) -> Tensor:
    tensor = torch.from_numpy(array)
    if device.type == "cpu":
        return tensor
    # From pinned memory the device fetches by itself.
    if device.type == "cuda" and tensor.numel():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
