"""Padding of several calls into one tensor: every number in its place, and nothing else but zeros."""

import numpy as np
import torch

from models.episode import SupportSet
from models.spec import Signature, TensorSpec
from services.engine.messages import Array, Support
from services.engine.stacking import padded, stack_inputs, stack_supports
from tests.small_models import LABELS, LINE, POINTS

CPU = torch.device("cpu")
COLOUR = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 2, 4, 3)), targets=LABELS)


def test_images_become_channels_first() -> None:
    image = np.arange(24, dtype=np.float32).reshape(1, 2, 4, 3)
    stack_MECHW = stack_inputs([Array.of(image)], COLOUR, start=0, size=1, tasks=1, device=CPU)
    assert stack_MECHW.shape == (1, 1, 3, 2, 4)
    assert stack_MECHW[0, 0, 2, 1, 3] == image[0, 1, 3, 2]


def test_shorter_calls_are_padded_with_what_the_masks_leave_out() -> None:
    def support(rows: int, ways: int) -> Support:
        inputs = np.ones((rows, 3), np.float32)
        return Support(Array.of(inputs), Array.of(np.arange(rows, dtype=np.int64) % ways), n_ways=ways)

    supports = [support(4, 2), support(2, 1)]
    stacked = SupportSet(*stack_supports(supports, POINTS, size=6, slots=3, tasks=3, device=CPU))
    assert stacked.mask.tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [0] * 6]
    assert stacked.class_mask.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert stacked.targets.tolist() == [[0, 1, 0, 1, 0, 0], [0] * 6, [0] * 6]
    torch.testing.assert_close(stacked.inputs.sum(-1), 3 * stacked.mask)


def test_an_empty_support_is_one_row_that_does_not_count() -> None:
    nothing = Array.of(np.zeros((0, 1), np.float32))
    empty = Support(nothing, nothing)
    stacked = SupportSet(*stack_supports([empty], LINE, size=1, slots=0, tasks=1, device=CPU))
    assert stacked.inputs.shape == (1, 1, 1)
    assert stacked.mask.tolist() == [[0]]
    assert stacked.class_mask.shape == (1, 0)


def test_a_long_query_is_stacked_by_the_piece() -> None:
    calls = [Array.of(np.arange(rows, dtype=np.float32).reshape(rows, 1)) for rows in (5, 3)]
    first, second = (stack_inputs(calls, LINE, start, size=3, tasks=2, device=CPU) for start in (0, 3))
    assert first[:, :, 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert second[:, :, 0].tolist() == [[3, 4, 0], [0, 0, 0]]


def test_rows_are_padded_with_zeros() -> None:
    rows = torch.ones(2, 3)
    assert padded(rows, 2) is rows
    assert padded(rows, 4).sum(1).tolist() == [3, 3, 0, 0]
