"""The networks a learner may be built on."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# `name` or `owner/name`, as on the hub: never a way out of the folder of encoders.
ENCODER_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$"

Width = Annotated[int, Meta(ge=1, le=4096)]


class MlpSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="mlp"
):
    """A fully connected network; `hidden` lists the widths of its hidden layers."""

    hidden: Annotated[tuple[Width, ...], Meta(min_length=1, max_length=16)] = (40, 40)
    activation: Literal["relu", "tanh", "gelu"] = "relu"


class Conv4Spec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="conv4"
):
    """Four 3x3 convolution blocks of `hidden` channels, each halving height and width (Vinyals et al. 2016)."""

    hidden: Annotated[int, Meta(ge=8, le=1024, multiple_of=8)] = 64


class TableTransformerSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="name",
    tag="table_transformer",
):
    """Attention over a table's cells, by turns along its rows and its columns (TabPFN v2, Hollmann et al. 2025).

    `summaries` tokens stand for the labelled cells of one column, so that what is kept of a task has one size,
    and `rows` is the most labelled rows whose own tokens are kept: of more, as many of each class. For
    prior_fitted.
    """

    width: Annotated[int, Meta(ge=8, le=512, multiple_of=8)] = 128
    layers: Annotated[int, Meta(ge=1, le=24)] = 5
    heads: Literal[1, 2, 4, 8] = 4
    summaries: Annotated[int, Meta(ge=1, le=64)] = 8
    rows: Annotated[int, Meta(ge=1, le=1024)] = 128


class EncoderSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="encoder"
):
    """A pretrained encoder of texts or images, and what is learned on top of its features.

    `encoder` is its name in the operator's folder of encoders, often a hub id; `sha256` and `width` are those of
    the files there, and are filled in when a job is submitted. Its own weights are never part of a version.

    It is frozen: its features are all that a learner sees, less their mean over what was meta-trained on, of length
    one, then through a learned linear map to `projection` columns (0: none).
    """

    encoder: Annotated[str, Meta(pattern=ENCODER_NAME, max_length=193)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    width: Annotated[int, Meta(ge=1, le=16_384)] | None = None
    projection: Annotated[int, Meta(ge=0, le=4096)] = 0


NetworkSpec = MlpSpec | Conv4Spec | TableTransformerSpec | EncoderSpec
