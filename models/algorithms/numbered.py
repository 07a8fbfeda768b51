"""Several adapted models as one: each one's parameters by its number. Knows no learner."""

from typing import Any

from torch import Tensor

from models.functional import Params

# What describes the task and none of them: kept once, under its own name.
_SHARED = "class_mask"


def numbered(kind: str, number: int, params: Params) -> dict[str, Tensor]:
    """The parameters of one, as `kind.number.name`."""
    return {name if name == _SHARED else f"{kind}.{number}.{name}": value for name, value in params.items()}


def of_number(kind: str, number: int, params: Params) -> dict[str, Any]:
    """The parameters of one out of those of all, by their own names."""
    prefix = f"{kind}.{number}."
    own = {name[len(prefix) :]: value for name, value in params.items() if name.startswith(prefix)}
    return own | {name: value for name, value in params.items() if name == _SHARED}
