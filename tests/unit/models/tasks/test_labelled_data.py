"""Arrays of any plain type become tensors, or are refused with a reason."""

import numpy as np
import pytest
import torch

from models.tasks.labelled_data import LabelledData


def test_labels_and_tasks_may_be_strings() -> None:
    data = LabelledData.from_arrays(
        np.zeros((4, 2), np.float64), np.array(["b", "a", "b", "c"]), np.array(["x", "x", "y", "x"])
    )
    assert data.labels.tolist() == [1, 0, 1, 2]
    assert data.tasks is not None
    assert data.tasks.tolist() == [0, 0, 1, 0]
    assert data.task_names == ("x", "y")
    assert data.inputs.dtype == torch.float32
    assert data.wire_shape == (2,)
    assert not data.is_image


@pytest.mark.parametrize(("shape", "wire"), [((3, 5, 7), (5, 7, 1)), ((3, 5, 7, 2), (5, 7, 2))])
def test_images_come_channels_first_and_keep_their_bytes(
    shape: tuple[int, ...], wire: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = LabelledData.from_arrays(images, np.arange(3))
    assert data.inputs.dtype == torch.uint8
    assert data.wire_shape == wire
    assert data.tasks is None
    taken = data.take(torch.tensor([[2, 0]]))
    assert taken.shape == (1, 2, wire[2], *wire[:2])
    expected = images.reshape(3, *wire)[2].astype(np.float32) / 255
    np.testing.assert_allclose(taken[0, 0].permute(1, 2, 0).numpy(), expected, rtol=1e-6)


def test_vectors_of_bytes_are_numbers_not_images() -> None:
    data = LabelledData.from_arrays(np.array([[200], [100]], np.uint8), np.arange(2))
    assert data.take(torch.tensor([0, 1])).flatten().tolist() == [200.0, 100.0]


@pytest.mark.parametrize(
    ("inputs", "targets", "tasks", "message"),
    [
        ((4,), (4,), None, r"not \[4\]"),
        ((4, 2), (3,), None, "one target each"),
        ((4, 2), (4, 1), None, "one target each"),
        ((4, 2), (4,), (5,), "one task each"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    inputs: tuple[int, ...], targets: tuple[int, ...], tasks: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LabelledData.from_arrays(
            np.zeros(inputs), np.zeros(targets), None if tasks is None else np.zeros(tasks)
        )
