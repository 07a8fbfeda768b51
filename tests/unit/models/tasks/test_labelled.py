"""Labelled episodes: nothing is drawn twice, the meta-test's classes are unseen, tasks and turns are kept apart.

Every example's input is its own number, so that an episode tells which examples it holds.
"""

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.episode import Episode
from models.spec import LabelledSpec
from models.tasks.labelled import Labelled, turn
from models.tasks.labelled_data import LabelledData
from models.tasks.split import split_classes


def _data(n_tasks: int = 4, per_task: int = 6, per_class: int = 8) -> LabelledData:
    """Labels repeat between tasks: `per_task` of them, each with `per_class` examples in every task."""
    tasks, labels, _ = np.meshgrid(range(n_tasks), range(per_task), range(per_class), indexing="ij")
    inputs = np.arange(tasks.size, dtype=np.float32)[:, None]
    names = np.array([f"task-{number}" for number in range(n_tasks)])
    return LabelledData.from_arrays(inputs, labels.ravel(), names[tasks.ravel()])


def _spec(**fields: object) -> LabelledSpec:
    return LabelledSpec(**{"dataset": "ds_1", "n_way": 3, "n_shot": 2, "n_query": 3, **fields})


def _rows(episodes: Episode, m: int) -> torch.Tensor:
    both = torch.cat([episodes.support.inputs[m], episodes.query.inputs[m]])
    return both.flatten().long()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    n_way=st.integers(2, 3),
    n_shot=st.integers(1, 4),
    n_query=st.integers(1, 4),
    within_task=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_episodes_keep_their_promises(
    n_way: int, n_shot: int, n_query: int, within_task: bool, seed: int
) -> None:
    data = _data()
    spec = _spec(n_way=n_way, n_shot=n_shot, n_query=n_query, within_task=within_task, split_seed=seed)
    family = Labelled(spec, data)
    generator = torch.Generator().manual_seed(seed)
    seen: dict[str, set[tuple[int, int]]] = {}
    for split in ("train", "test"):
        episodes = family.sample(generator, 10, split)
        assert episodes.support.inputs.shape == (10, n_way * n_shot, 1)
        assert episodes.query.inputs.shape == (10, n_way * n_query, 1)
        assert episodes.support.class_mask.shape == (10, n_way)
        seen[split] = set()
        for m in range(10):
            rows = _rows(episodes, m)
            assert len(set(rows.tolist())) == len(rows), "an example is drawn twice"
            slots = torch.cat([episodes.support.targets[m], episodes.query.targets[m]])
            labels, tasks = data.labels[rows], data.tasks[rows]
            for slot in range(n_way):
                assert len(set(labels[slots == slot].tolist())) == 1
            assert slots.bincount().tolist() == [n_shot + n_query] * n_way
            assert len(set(labels.tolist())) == n_way
            if within_task:
                assert len(set(tasks.tolist())) == 1
            pools = tasks if within_task else torch.zeros_like(tasks)
            seen[split] |= set(zip(pools.tolist(), labels.tolist(), strict=True))
    assert not seen["train"] & seen["test"]
    if within_task:
        assert not {task for task, _ in seen["train"]} & {task for task, _ in seen["test"]}


def test_the_split_depends_on_its_seed_alone() -> None:
    splits = []
    for split_seed, generator_seed in ((1, 0), (1, 9), (2, 0)):
        family = Labelled(_spec(split_seed=split_seed, within_task=True), _data(n_tasks=12))
        episodes = family.sample(torch.Generator().manual_seed(generator_seed), 100, "test")
        splits.append({row // 48 for row in episodes.support.inputs.flatten().long().tolist()})
    assert splits[0] == splits[1]
    assert splits[0] != splits[2]
    assert len(splits[0]) == 2  # a fifth of twelve tasks


def test_tasks_can_be_held_out_by_name() -> None:
    family = Labelled(_spec(within_task=True, test_tasks=("task-1", "task-3")), _data())
    generator = torch.Generator().manual_seed(0)
    for split, expected in (("test", {1, 3}), ("train", {0, 2})):
        inputs = family.sample(generator, 60, split).support.inputs
        assert {row // 48 for row in inputs.flatten().long().tolist()} == expected


def test_classes_and_tasks_that_are_too_small_take_no_part() -> None:
    big = _data(n_tasks=3, per_task=4)
    # One more task of two classes, and one more class of a single example in the first task.
    extra = LabelledData.from_arrays(
        np.arange(96 + 17, dtype=np.float32)[:, None],
        np.concatenate([big.labels.numpy(), np.repeat([0, 1], 8), [9]]),
        np.concatenate([big.tasks.numpy(), np.full(16, 3), [0]]),
    )
    family = Labelled(_spec(within_task=True), extra)
    for split in ("train", "test"):
        rows = family.sample(torch.Generator().manual_seed(0), 200, split).support.inputs
        assert rows.max() < 96


def _pictures(n_classes: int, side: tuple[int, int] = (4, 4)) -> LabelledData:
    generator = np.random.default_rng(0)
    inputs = generator.integers(0, 255, (n_classes * 6, *side), dtype=np.uint8)
    return LabelledData.from_arrays(inputs, np.repeat(np.arange(n_classes), 6))


def test_turned_classes_are_classes_of_their_own_in_meta_training_alone() -> None:
    data = _pictures(8)
    family = Labelled(_spec(n_way=4, rotations=True), data)
    straight = {image.numpy().tobytes() for image in data.take(torch.arange(48)).flatten(0, 0)}
    generator = torch.Generator().manual_seed(0)
    tested = family.sample(generator, 20, "test").support.inputs.flatten(0, 1)
    assert all(image.contiguous().numpy().tobytes() in straight for image in tested)
    trained = family.sample(generator, 50, "train")
    turns_seen = set()
    for m in range(50):
        for slot in range(4):
            images = torch.cat(
                [
                    trained.support.inputs[m][trained.support.targets[m] == slot],
                    trained.query.inputs[m][trained.query.targets[m] == slot],
                ]
            )
            # All of a class's examples are turned alike: one turn back makes each of them an example again.
            fits = [
                back
                for back in range(4)
                if all(
                    torch.rot90(image, -back, dims=(-2, -1)).contiguous().numpy().tobytes() in straight
                    for image in images
                )
            ]
            assert len(fits) == 1
            turns_seen.add(fits[0])
    assert turns_seen == {0, 1, 2, 3}


def test_turn_is_a_quarter_turn() -> None:
    images = torch.arange(8.0).reshape(1, 2, 1, 1, 2, 2)
    turned = turn(images, torch.tensor([[0, 1]]))
    assert torch.equal(turned[0, 0], images[0, 0])
    assert turned[0, 1].flatten().tolist() == [5, 7, 4, 6]


def test_bytes_become_numbers_between_nought_and_one() -> None:
    episodes = Labelled(_spec(n_way=2), _pictures(5)).sample(torch.Generator().manual_seed(0), 4)
    assert episodes.support.inputs.shape == (4, 4, 1, 4, 4)
    assert episodes.support.inputs.dtype == torch.float32
    assert 0.5 < episodes.support.inputs.max() <= 1


@pytest.mark.parametrize(
    ("fields", "data", "message"),
    [
        ({"n_way": 4}, _data(), "4-way episodes need at least 8 classes of at least 5 examples.*has 6"),
        ({"n_shot": 90}, _data(), "n_shot \\+ n_query = 93 examples of a class.*largest.* has 32"),
        ({"n_way": 7, "within_task": True}, _data(), "7-way episodes within a task need 7 classes"),
        ({"within_task": True}, _data(n_tasks=1), "no task left for meta-training has them"),
        ({"within_task": True}, _pictures(8), "within_task needs a dataset with tasks"),
        (
            {"within_task": True, "test_tasks": ("task-1", "task-9")},
            _data(),
            "test_tasks names tasks that the dataset does not have: task-9",
        ),
        ({"test_tasks": ("task-1",)}, _data(), "test_tasks .* needs within_task"),
        ({"rotations": True}, _data(), "rotations need square images"),
        ({"rotations": True}, _pictures(8, (4, 5)), "rotations need square images"),
    ],
)
def test_what_a_dataset_cannot_give_is_said(fields: dict, data: LabelledData, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Labelled(_spec(**fields), data)


def test_turns_make_up_for_few_classes() -> None:
    """Four-way meta-training from a single class and its turns; the meta-test has four classes of its own."""
    family = Labelled(_spec(n_way=4, rotations=True), _pictures(5))
    generator = torch.Generator().manual_seed(0)
    assert family.sample(generator, 2, "train").support.class_mask.shape == (2, 4)
    with pytest.raises(ValueError, match="at least 5 classes"):
        Labelled(_spec(n_way=4, rotations=True), _pictures(4))


def test_classes_are_compared_with_what_is_held_out_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them one by one take most of a minute."""
    asked, isin = [], np.isin
    monkeypatch.setattr(np, "isin", lambda *given: asked.append(given) or isin(*given))
    inputs, targets = np.arange(600, dtype=np.float32).reshape(200, 3), np.arange(200) // 2
    spec = LabelledSpec(dataset="d", n_way=2, n_shot=1, n_query=1, test_fraction=0.5)
    split = split_classes(spec, LabelledData.from_arrays(inputs, targets))
    assert len(split.train.rows) == len(split.test.rows) == 50
    assert len(asked) == 1


def _drawings(channels: int = 1, paper: int = 0) -> LabelledData:
    """Four alphabets of six letters with eight drawings each: a square of ink, of a strength of its own."""
    tasks, letters, _ = (axis.ravel() for axis in np.meshgrid(range(4), range(6), range(8), indexing="ij"))
    images = np.full((len(tasks), 10, 10, channels), paper, dtype=np.uint8)
    ink = np.abs(paper - 255 + np.arange(len(tasks)))
    images[:, 2:4, 2:4] = ink[:, None, None, None]
    names = np.array([f"alphabet-{number}" for number in range(4)])
    return LabelledData.from_arrays(images, tasks * 6 + letters, names[tasks])


@pytest.mark.parametrize("paper", [0, 255])
def test_some_episodes_are_of_invented_characters(paper: int) -> None:
    data, plain = _drawings(paper=paper), _spec(n_way=4, within_task=True)
    family = Labelled(msgspec.structs.replace(plain, invented=0.5), data)
    episodes = family.sample(torch.Generator().manual_seed(0), 200)

    def own_of(images: torch.Tensor) -> torch.Tensor:
        """Which episodes are of squares alone."""
        beside = images.clone()
        beside[..., 2:4, 2:4] = paper / 255
        return (beside == paper / 255).flatten(1).all(1)

    own = own_of(episodes.query.inputs)
    assert 70 <= int(own.sum()) <= 130
    invented = episodes.query.inputs[~own]
    assert float(invented.median()) == paper / 255  # mostly paper, of the dataset's own colour
    assert float(invented.min()) >= 0.0
    assert float(invented.max()) <= 1.0
    assert float(invented.std()) > 0.05
    again = family.sample(torch.Generator().manual_seed(0), 200)
    assert torch.equal(episodes.support.inputs, again.support.inputs)
    assert own_of(family.sample(torch.Generator().manual_seed(0), 50, "test").query.inputs).all()


def test_only_images_of_one_channel_can_be_invented() -> None:
    for data in (_data(), _drawings(channels=3)):
        with pytest.raises(ValueError, match="images of one channel"):
            Labelled(_spec(invented=0.1), data)
