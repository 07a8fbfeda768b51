"""The algorithms a learner may adapt by, each with the options a caller of the service may adjust.

Each also says whether it `starts_from_adaptation`, and whether its regression answers carry a std (`gives_std`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

InnerSteps = Annotated[int, Meta(ge=0, le=200)]
InnerRate = Annotated[float, Meta(gt=0.0, le=10.0)]


class InvalidOption(ValueError):
    """An adaptation option that the algorithm does not let a caller set, or a value outside its range."""

    def __init__(self, option: str, detail: str) -> None:
        super().__init__(detail)
        self.option = option
        self.detail = detail


class MamlSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="maml"
):
    """Model-agnostic meta-learning (Finn et al. 2017): a few gradient steps from a learned initialisation."""

    adjustable: ClassVar[tuple[str, ...]] = ("inner_steps", "inner_lr")
    starts_from_adaptation: ClassVar[bool] = True
    gives_std: ClassVar[bool] = False

    inner_steps: InnerSteps = 1
    inner_lr: InnerRate = 0.01
    first_order: bool = False


class ProtoNetSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="protonet"
):
    """Prototypical networks (Snell et al. 2017): a class is the mean of its embedded support examples."""

    adjustable: ClassVar[tuple[str, ...]] = ()
    starts_from_adaptation: ClassVar[bool] = False
    gives_std: ClassVar[bool] = False


class RidgeSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="ridge"
):
    """A closed-form last layer on learned features (R2D2, Bertinetto et al. 2019; ALPaCA, Harrison et al. 2018).

    Regression is Bayesian linear regression with a learned prior, so that answers carry a std; `components`
    priors are mixed, for families of several kinds of tasks. Classification uses none.
    """

    adjustable: ClassVar[tuple[str, ...]] = ()
    starts_from_adaptation: ClassVar[bool] = False
    gives_std: ClassVar[bool] = True

    components: Annotated[int, Meta(ge=1, le=32)] = 1


AlgorithmSpec = MamlSpec | ProtoNetSpec | RidgeSpec


def with_options(algorithm: AlgorithmSpec, options: Mapping[str, Any]) -> AlgorithmSpec:
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
