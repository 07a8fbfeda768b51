"""The networks a learner may be built on. Each says what kind of inputs it takes."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from models.spec.signature import InputKind

# `name` or `owner/name`, as on the hub: never a way out of the folder of encoders.
ENCODER_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$"

Width = Annotated[int, Meta(ge=1, le=4096)]
Channels = Annotated[int, Meta(ge=8, le=1024, multiple_of=8)]


class NetworkBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """What every network says of itself."""

    takes: ClassVar[InputKind]
    smallest_image: ClassVar[int] = 1


class MlpSpec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="mlp"):
    """A fully connected network; `hidden` lists the widths of its hidden layers."""

    takes: ClassVar[InputKind] = "vectors"

    hidden: Annotated[tuple[Width, ...], Meta(min_length=1, max_length=16)] = (40, 40)
    activation: Literal["relu", "tanh", "gelu"] = "relu"


class Conv4Spec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="conv4"):
    """Four 3x3 convolution blocks of `hidden` channels, each halving height and width (Vinyals et al. 2016)."""

    takes: ClassVar[InputKind] = "images"
    smallest_image: ClassVar[int] = 16

    hidden: Channels = 64


class ResNet12Spec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="resnet12"):
    """Four residual blocks of 64, 160, 320 and 640 channels, times `width` (Oreshkin et al. 2018)."""

    takes: ClassVar[InputKind] = "images"

    width: Annotated[float, Meta(ge=0.125, le=2.0)] = 1.0

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of each block, multiples of 8."""
        return tuple(8 * max(1, round(self.width * full / 8)) for full in (64, 160, 320, 640))


class ResNetMapsSpec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="resnet_maps"):
    """A small residual network of `width` channels that keeps places: a feature for every 4x4 pixels, for
    local_matching.

    `centred` moves each image to the middle of its ink first, for drawings whose place on their page tells nothing.
    """

    takes: ClassVar[InputKind] = "images"

    width: Channels = 64
    centred: bool = False

    @staticmethod
    def grid(height: int, width: int) -> tuple[int, int]:
        """The rows and columns of places of an image."""
        return -(-height // 4), -(-width // 4)


class Conv1dSpec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="conv1d"):
    """Residual blocks of convolutions over time, each halving its length, and the average over what is left.

    Block b has `hidden` channels; `kernel` is the steps that one convolution sees.
    """

    takes: ClassVar[InputKind] = "series"

    hidden: Channels = 64
    blocks: Annotated[int, Meta(ge=1, le=8)] = 4
    kernel: Literal[3, 5, 7, 9] = 5


class SeriesTransformerSpec(
    NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="series_transformer"
):
    """A transformer encoder over patches of `patch` steps (Vaswani et al. 2017), averaged over time."""

    takes: ClassVar[InputKind] = "series"

    hidden: Channels = 64
    layers: Annotated[int, Meta(ge=1, le=12)] = 2
    heads: Literal[1, 2, 4, 8] = 4
    patch: Annotated[int, Meta(ge=1, le=256)] = 4


class TableTransformerSpec(
    NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="table_transformer"
):
    """Attention over a table's cells, by turns along its rows and its columns (TabPFN v2, Hollmann et al. 2025).

    `summaries` tokens stand for the labelled cells of one column, so that what is kept of a task has one size,
    and `rows` is the most labelled rows whose own tokens are kept: of more, as many of each class. For
    prior_fitted.
    """

    takes: ClassVar[InputKind] = "vectors"

    width: Annotated[int, Meta(ge=8, le=512, multiple_of=8)] = 128
    layers: Annotated[int, Meta(ge=1, le=24)] = 5
    heads: Literal[1, 2, 4, 8] = 4
    summaries: Annotated[int, Meta(ge=1, le=64)] = 8
    rows: Annotated[int, Meta(ge=1, le=1024)] = 128


class RowTransformerSpec(
    NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="row_transformer"
):
    """Attention over a table's rows, a token each (TabPFN, Hollmann et al. 2023), on top of closed-form heads.

    `rows` is the most labelled rows that count: of more, as many of each class. For prior_fitted.
    """

    takes: ClassVar[InputKind] = "vectors"

    width: Annotated[int, Meta(ge=8, le=512, multiple_of=8)] = 64
    layers: Annotated[int, Meta(ge=1, le=24)] = 3
    heads: Literal[1, 2, 4, 8] = 4
    rows: Annotated[int, Meta(ge=1, le=1024)] = 128


class EncoderSpec(NetworkBase, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="encoder"):
    """A pretrained encoder of texts or images, and what is learned on top of its features.

    `encoder` is its name in the operator's folder of encoders, often a hub id; `sha256` and `width` are those of
    the files there, and are filled in when a job is submitted. Its own weights are never part of a version.

    Its features are all that a learner sees, less their mean over what was meta-trained on, of length one, then
    through a learned linear map to `projection` columns (0: none).

    With `tuning` none it is frozen. Meta-training may learn, in its top `layers`, what is added to the projections
    of attention, matrices of `rank` (lora), or to the layer norms, where it has such; these differences are part
    of a version, and an adaptation leaves them as they are.
    """

    takes: ClassVar[InputKind] = "vectors"  # its features, whatever they were made of

    encoder: Annotated[str, Meta(pattern=ENCODER_NAME, max_length=193)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    width: Annotated[int, Meta(ge=1, le=16_384)] | None = None
    projection: Annotated[int, Meta(ge=0, le=4096)] = 0
    tuning: Literal["none", "lora", "layer_norm"] = "none"
    rank: Annotated[int, Meta(ge=1, le=64)] = 8
    layers: Annotated[int, Meta(ge=1, le=48)] = 3

    @property
    def is_tuned(self) -> bool:
        return self.tuning != "none"


NetworkSpec = (
    MlpSpec
    | Conv4Spec
    | ResNet12Spec
    | ResNetMapsSpec
    | Conv1dSpec
    | SeriesTransformerSpec
    | TableTransformerSpec
    | RowTransformerSpec
    | EncoderSpec
)
