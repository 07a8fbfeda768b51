"""What a version's record tells of the split it was trained on. Plain values; knows no tensor."""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

_MOST_NAMES = 200


class SplitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides by number, the held-out one also by name where it has few names.

    `too_small` were left out for want of examples; `repeats_dropped` examples were equal to another of their class
    or task; `copies_dropped` were in meta-training what is also held out. `train_sample` is `sample_of` the
    labelled examples of meta-training, by which another dataset that has some of them is known.
    """

    by: Literal["class", "task"]
    n_train: int
    n_test: int
    test: tuple[str, ...] = ()
    too_small: int = 0
    repeats_dropped: int = 0
    copies_dropped: int = 0
    train_sample: str = ""


class _Splitting(Protocol):
    @property
    def record(self) -> SplitRecord: ...


@runtime_checkable
class HasSplit(Protocol):
    """A family that draws from a fixed stock of examples, part of it held out."""

    @property
    def split(self) -> _Splitting: ...


def record_of(
    *,
    by: Literal["class", "task"],
    train: Sequence[str],
    test: Sequence[str],
    too_small: int,
    repeats_dropped: int,
    copies_dropped: int,
    train_sample: str = "",
) -> SplitRecord:
    """The record of a split into these names."""
    return SplitRecord(
        by=by,
        n_train=len(train),
        n_test=len(test),
        test=tuple(test) if len(test) <= _MOST_NAMES else (),
        too_small=too_small,
        repeats_dropped=repeats_dropped,
        copies_dropped=copies_dropped,
        train_sample=train_sample,
    )
