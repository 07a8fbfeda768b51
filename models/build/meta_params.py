"""Whether meta-parameters that came from elsewhere are a learner's own."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from models.build.any_learner import AnyLearner
from models.functional import Params

# What a learner's `init` makes its parameters with; and how many more than were given it may make before it is
# stopped, so that for all but the vast ones it can be said which are wrong.
_MAKERS = (torch.rand, torch.randn, torch.zeros, torch.ones)
_SLACK = 1 << 22


def check_params(learner: AnyLearner, meta_params: Params) -> None:
    """Raises ValueError unless names and shapes are those of the learner's own meta-parameters."""
    with _AtMost(_SLACK + sum(value.numel() for value in meta_params.values())):
        fresh = learner.init(torch.Generator())
    expected = {name: tuple(value.shape) for name, value in fresh.items()}
    given = {name: tuple(value.shape) for name, value in meta_params.items()}
    if expected == given:
        return
    wrong = sorted(name for name in expected | given if expected.get(name) != given.get(name))
    raise ValueError(
        f"the parameters are not those of this learner: {', '.join(wrong[:5])}; an earlier release may have had "
        "others, and such a version is meta-trained anew"
    )


class _AtMost(TorchFunctionMode):
    """Stops an `init` before it makes more than `numbers`: a file of a few bytes may describe terabytes."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self._left = numbers

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        del types
        if function in _MAKERS:
            self._left -= math.prod(arguments[0] if isinstance(arguments[0], tuple) else arguments)
            if self._left < 0:
                raise ValueError("the learner has many more parameters than are given")
        return function(*arguments, **(named or {}))
