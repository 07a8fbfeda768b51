"""CAVIA's options."""

from typing import Annotated

from msgspec import Meta

from models.spec.algorithms.inner_loop import InnerRate, UnrolledLoop


class CaviaSpec(UnrolledLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cavia"):
    """Context adaptation (Zintgraf et al. 2019): `context` numbers beside the input are all that is adapted."""

    inner_lr: InnerRate = 1.0
    context: Annotated[int, Meta(ge=1, le=256)] = 5

    @property
    def further_inputs(self) -> int:
        return self.context
