"""The options of one adaptation: what a caller may set of an algorithm, and within which bounds."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from models.spec.algorithms.algorithm import Algorithm

AnyAlgorithm = TypeVar("AnyAlgorithm", bound=Algorithm)


class InvalidOption(ValueError):
    """An adaptation option that the algorithm does not let a caller set, or a value outside its range."""

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(detail)
        self.option = option
        self.detail = detail


def with_options(algorithm: AnyAlgorithm, options: Mapping[str, Any]) -> AnyAlgorithm:
    """The algorithm with a caller's options in place of the values it was trained with.

    Raises InvalidOption for an option that is not adjustable, or a value that its field does not take.
    """
    adjustable = type(algorithm).adjustable
    for option in options:
        if option not in adjustable:
            known = ", ".join(adjustable) or "none"
            raise InvalidOption(option, f"not an option of this model; adjustable: {known}")
    plain = msgspec.to_builtins(algorithm)
    for option, value in options.items():
        try:
            msgspec.convert({**plain, option: value}, type(algorithm))
        except msgspec.ValidationError as error:
            raise InvalidOption(option, str(error).split(" - at ")[0]) from error
    return msgspec.convert({**plain, **options}, type(algorithm))
