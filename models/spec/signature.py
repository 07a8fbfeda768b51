"""What goes into a model and what comes out, in the Open Inference Protocol's words."""

from typing import Literal

import msgspec

from models.spec.columns import ColumnSpec, encoded_width
from models.spec.spaces import ActionSpace, BoxSpace, DiscreteSpace

Task = Literal["regression", "classification", "policy"]
InputKind = Literal["texts", "vectors", "series", "images"]
Datatype = Literal["FP32", "INT64", "UINT8", "BYTES"]

# By the number of an example's dimensions: (), (D,), (T, C), (H, W, C).
INPUT_KINDS: dict[int, InputKind] = {0: "texts", 1: "vectors", 2: "series", 3: "images"}


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor; `shape[0]` is -1, the number of examples."""

    datatype: Datatype
    shape: tuple[int, ...]

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example, without the leading -1."""
        return self.shape[1:]


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Inputs FP32 [-1, D] for vectors, [-1, T, C] for series (T steps of C channels), or [-1, H, W, C] in 0..1 for
    images (channels last, as on the wire); BYTES [-1] for texts.

    Targets FP32 [-1, T] for regression; BYTES [-1] (one label an example) for classification. A policy's inputs
    are its observations, and its targets its actions: FP32 [-1, A] of a box, INT64 [-1] of a discrete space;
    `actions` is that space, and None for what is no policy.

    `columns` says what each of a table's D columns means, and `target_columns` each of T; empty where numbers go
    in and come out as they are. With `classes` every task has these classes, in this order, whether its support
    set shows them all or not; without, a task's classes are those of its support set.

    With `class_names` (texts only) a class's own name is one more example of it.
    """

    inputs: TensorSpec
    targets: TensorSpec
    columns: tuple[ColumnSpec, ...] = ()
    target_columns: tuple[ColumnSpec, ...] = ()
    classes: tuple[str, ...] = ()
    actions: ActionSpace | None = None
    class_names: bool = False

    @classmethod
    def of_policy(cls, observation_width: int, actions: ActionSpace) -> "Signature":
        """A policy's that sees `observation_width` numbers and chooses from `actions`."""
        chosen = (
            TensorSpec(datatype="FP32", shape=(-1, actions.width))
            if isinstance(actions, BoxSpace)
            else TensorSpec(datatype="INT64", shape=(-1,))
        )
        seen = TensorSpec(datatype="FP32", shape=(-1, observation_width))
        return cls(inputs=seen, targets=chosen, actions=actions)

    @property
    def task(self) -> Task:
        if self.actions is not None:
            return "policy"
        return "classification" if self.targets.datatype == "BYTES" else "regression"

    @property
    def input_kind(self) -> InputKind:
        return INPUT_KINDS[len(self.inputs.example_shape)]

    @property
    def is_image(self) -> bool:
        return self.input_kind == "images"

    @property
    def is_square_image(self) -> bool:
        """Height and width are the same: it may be turned."""
        shape = self.inputs.example_shape
        return self.is_image and shape[0] == shape[1]

    @property
    def is_text(self) -> bool:
        return self.input_kind == "texts"

    @property
    def encoded(self) -> "Signature":
        """What a network sees behind the columns' encoding: their width in place of D, and nothing to encode."""
        inputs = self.inputs
        if self.columns:
            inputs = msgspec.structs.replace(inputs, shape=(-1, encoded_width(self.columns)))
        return msgspec.structs.replace(self, inputs=inputs, columns=(), target_columns=())

    @property
    def target_width(self) -> int:
        """T, the number of regression columns; 0 for classification and discrete actions."""
        return self.targets.shape[1] if len(self.targets.shape) == 2 else 0

    @property
    def answer_width(self) -> int:
        """Numbers in the answer to one input, where the signature alone says how many; 0 for classification."""
        return self.actions.n if isinstance(self.actions, DiscreteSpace) else self.target_width
