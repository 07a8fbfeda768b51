"""What goes into a model and what comes out, in the Open Inference Protocol's words."""

from typing import Literal

import msgspec

Task = Literal["regression", "classification"]
Datatype = Literal["FP32", "UINT8", "BYTES"]


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor; `shape[0]` is -1, the number of examples."""

    datatype: Datatype
    shape: tuple[int, ...]

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example, without the leading -1."""
        return self.shape[1:]


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs FP32 [-1, D] for vectors or [-1, H, W, C] in 0..1 for images (channels last, as on the wire); BYTES
    [-1] for texts.

    Targets FP32 [-1, T] for regression; BYTES [-1] (one label an example) for classification.
    """

    inputs: TensorSpec
    targets: TensorSpec

    @property
    def task(self) -> Task:
        return "classification" if self.targets.datatype == "BYTES" else "regression"

    @property
    def is_image(self) -> bool:
        return len(self.inputs.shape) == 4

    @property
    def is_text(self) -> bool:
        return self.inputs.datatype == "BYTES"

    @property
    def target_width(self) -> int:
        """T, the number of regression columns; 0 for classification."""
        return 0 if self.task == "classification" else self.targets.shape[1]
