"""Warps of images: exact where they should be, bounded, seeded, and only of what meta-training sees."""

import numpy as np
import pytest
import torch

from models.build import build_family
from models.spec import AugmentSpec, LabelledSpec
from models.tasks import augmentation
from models.tasks.labelled_data import LabelledData


def _images(count: int = 4, side: int = 12) -> torch.Tensor:
    images = torch.zeros(count, 1, side, side)
    images[:, :, 3:6, 2:8] = torch.rand(count, 1, 3, 6, generator=torch.Generator().manual_seed(0))
    return images


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_bounds_of_zero_leave_the_image() -> None:
    images = _images()
    warp = augmentation.draw(AugmentSpec(), _generator(), (2, 2))
    torch.testing.assert_close(augmentation.apply(warp, images), images)


def test_a_flip_is_a_mirror_image_or_none() -> None:
    images = _images(32)
    flipped = augmentation.apply(augmentation.draw(AugmentSpec(flip=True), _generator(), (32,)), images)
    same = (flipped - images).abs().flatten(1).amax(1) < 1e-5
    mirrored = (flipped - images.flip(-1)).abs().flatten(1).amax(1) < 1e-5
    assert (same ^ mirrored).all()
    assert 4 < int(same.sum()) < 28


def test_bounds_are_kept_and_seeds_repeat() -> None:
    spec = AugmentSpec(shift=0.1, rotate=20, scale=0.2, shear=0.1, elastic=0.02, stroke=0.5)
    warp = augmentation.draw(spec, _generator(5), (500,))
    again = augmentation.draw(spec, _generator(5), (500,))
    assert all(torch.equal(one, other) for one, other in zip(warp, again, strict=True))
    assert warp.matrix[:, :, 2].abs().max() <= 0.2  # the side is 2 in a grid's units
    assert warp.matrix[:, :, 2].abs().max() > 0.19
    areas = torch.linalg.det(warp.matrix[:, :, :2])
    assert (areas <= 1.2**2 + 1e-5).all()
    assert (areas >= 1.2**-2 - 1e-5).all()
    assert warp.stroke is not None
    assert warp.stroke.abs().max() <= 0.5


def test_a_stroke_grows_and_shrinks() -> None:
    images, warp = _images(64), augmentation.draw(AugmentSpec(stroke=1.0), _generator(), (64,))
    assert warp.stroke is not None
    ink = augmentation.apply(warp, images).sum((1, 2, 3)) - images.sum((1, 2, 3))
    assert ((ink > 0) == (warp.stroke > 0)).all()


def test_a_task_s_warp_comes_before_its_images_own() -> None:
    images = _images(6)
    shared = augmentation.draw(AugmentSpec(rotate=180), _generator(1), (2,))
    own = augmentation.draw(AugmentSpec(shift=0.2, stroke=0.3), _generator(2), (6,))
    composed = augmentation.compose(shared, own)
    point = torch.tensor([0.3, -0.2, 1.0])
    for place in range(6):
        inner = torch.cat([own.matrix[place] @ point, torch.ones(1)])
        torch.testing.assert_close(composed.matrix[place] @ point, shared.matrix[place // 3] @ inner)
    assert composed.stroke is own.stroke
    assert augmentation.apply(composed, images).shape == images.shape


def _letters(**changes: object) -> LabelledSpec:
    return LabelledSpec(dataset="ds_1", n_way=3, n_query=1, **changes)  # type: ignore[arg-type]


def _data() -> LabelledData:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    return LabelledData.from_arrays(pixels, np.arange(20).repeat(3))


@pytest.mark.parametrize(
    "changes", [{"augment": AugmentSpec(rotate=20)}, {"task_augment": AugmentSpec(flip=True)}]
)
def test_meta_training_is_warped_and_the_meta_test_is_not(changes: dict[str, AugmentSpec]) -> None:
    plain, warped = (build_family(_letters(**given), _data()) for given in ({}, changes))
    train, test = (
        [family.sample(_generator(), 4, split).query.inputs for family in (plain, warped)]
        for split in ("train", "test")  # type: ignore[attr-defined]
    )
    assert not torch.allclose(*train)
    assert torch.equal(*test)


def test_meta_training_may_have_more_ways() -> None:
    family = build_family(_letters(train_ways=7), _data())
    train, test = family.sample(_generator(), 2), family.sample(_generator(), 2, "test")
    assert train.support.class_mask.shape == (2, 7)
    assert train.query.inputs.shape == (2, 7, 1, 8, 8)
    assert test.support.class_mask.shape == (2, 3)


def test_vectors_cannot_be_warped() -> None:
    vectors = LabelledData.from_arrays(np.zeros((60, 4)), np.arange(20).repeat(3))
    with pytest.raises(ValueError, match="only images can be warped"):
        build_family(_letters(augment=AugmentSpec(shift=0.1)), vectors)


def test_episodes_are_made_where_the_data_are() -> None:
    """On a device without numbers, where any tensor of the CPU among its own would be an error."""
    spec = _letters(
        rotations=True,
        augment=AugmentSpec(shift=0.1, elastic=0.1, stroke=0.1),
        task_augment=AugmentSpec(flip=True),
    )
    support, query = build_family(spec, _data().to("meta")).sample(_generator(), 2)
    assert {tensor.device.type for tensor in (*support, *query)} == {"meta"}


def test_a_negative_is_warped_as_its_drawing_is() -> None:
    images = _images(16)
    warp = augmentation.draw(AugmentSpec(rotate=30, shift=0.2, scale=0.2), _generator(), (16,))
    negative = 1 - augmentation.apply(warp, 1 - images)
    torch.testing.assert_close(negative, augmentation.apply(warp, images), atol=1e-6, rtol=0)
