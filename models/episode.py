"""Episodes as tensors. Holds the shape legend; knows nothing of where an episode comes from.

Shape legend, used as a suffix of local names everywhere in `models` and in the engine's executor:

    M  tasks in a meta-batch         N  ways (class slots)        D  features
    S  support examples              Q  query examples            T  regression columns
    C, H, W  image channels, height, width; inputs are written X = D or C, H, W, or T, C for series of T steps

Tasks of different sizes share a batch by padding: `mask` is 1 for a real example and 0 for padding, and
`class_mask` is 1 for a real class. Nothing computed for a real example may depend on padding.
"""

from typing import NamedTuple

from torch import Tensor


class SupportSet(NamedTuple):
    """The labelled examples that a task is adapted from. One task; a meta-batch adds a leading M.

    Of a signature with `class_names` a row for the name of each real class, in the order of slots, stands before
    them; its mask is 0 where a class has no words.
    """

    inputs: Tensor  # float32 [S, X]; images are channels first
    targets: Tensor  # regression float32 [S, T]; classification int64 [S], an index into the class slots
    mask: Tensor  # float32 [S], 1 = real
    class_mask: Tensor  # float32 [N], 1 = real; [0] for regression


class QuerySet(NamedTuple):
    """The examples to predict, with the truth where it is known (in meta-training, always)."""

    inputs: Tensor  # float32 [Q, X]
    targets: Tensor  # regression float32 [Q, T]; classification int64 [Q]
    mask: Tensor  # float32 [Q], 1 = real


class Episode(NamedTuple):
    """One sampled support + query draw; a `MetaBatch` is an Episode whose tensors carry a leading M."""

    support: SupportSet
    query: QuerySet


MetaBatch = Episode
