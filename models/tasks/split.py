"""Which classes of a labelled dataset meta-training may see, and which are held out. Knows no episode."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.spec import LabelledSpec
from models.tasks.duplicates import sample_of
from models.tasks.labelled_data import LabelledData
from models.tasks.split_record import SplitRecord, record_of

Array = np.ndarray[Any, Any]

TURNS = 4  # quarter turns of an image, each a class where `rotations` is set


@dataclass(frozen=True)
class Stock:
    """The classes that one side draws from."""

    rows: tuple[Tensor, ...]  # int64 [n_c] for each class
    pools: Tensor  # int64 [C]: the dataset's task where episodes stay within one, else 0
    labels: Tensor  # int64 [C]


class ClassSplit(NamedTuple):
    """Both sides' stocks, and what there is to say of them."""

    train: Stock
    test: Stock
    record: SplitRecord


def split_classes(spec: LabelledSpec, data: LabelledData) -> ClassSplit:
    """The stocks of meta-training and of the meta-test; they share no class, `within_task` no task, and no content.

    Of equal examples of a class the first alone is kept: one that is given and asked for tests nothing. What is
    held out in one class is left out of meta-training in every other.

    A class with fewer than n_shot + n_query examples is left out, and so is a task with fewer than n_way such
    classes. Raises ValueError, saying what is missing, where too little remains.
    """
    if spec.test_tasks and not spec.within_task:
        raise ValueError("test_tasks holds out whole tasks, so it needs within_task")
    contents = data.contents
    stock, too_small, repeats = usable_classes(spec, data, contents)
    held_out_C = _held_out_tasks(spec, data, stock) if spec.within_task else _held_out_classes(spec, stock)
    train, test = _select(stock, ~held_out_C), _select(stock, held_out_C)
    train, copies = _without_copies(spec, train, test, contents)
    train = without_small_pools(train, _fewest_train(spec))
    test = without_small_pools(test, spec.fewest_ways)
    if not len(train.rows):
        raise ValueError(
            f"what is held out is what there is: {copies} examples of meta-training are equal to held-out ones"
        )
    record = record_of(
        by="task" if spec.within_task else "class",
        train=_names(spec, data, train),
        test=_names(spec, data, test),
        too_small=too_small,
        repeats_dropped=repeats,
        copies_dropped=copies,
        train_sample=sample_of(replace(data, keys=contents).examples[torch.cat(train.rows).numpy()]),
    )
    return ClassSplit(train, test, record)


def _names(spec: LabelledSpec, data: LabelledData, stock: Stock) -> list[str]:
    """Of a side's tasks, or of its classes."""
    if spec.within_task:
        return [data.task_names[pool] for pool in sorted(set(stock.pools.tolist()))]
    return [data.label_names[label] if data.label_names else str(label) for label in stock.labels.tolist()]


def _without_copies(spec: LabelledSpec, train: Stock, test: Stock, contents: Array) -> tuple[Stock, int]:
    """Meta-training's stock without the examples that are held out as well, and how many these were."""
    train_E, test_E = torch.cat(train.rows), torch.cat(test.rows)
    # All at once: class by class the held-out ones would be sorted as often as there are classes.
    kept_E = torch.from_numpy(~np.isin(contents[train_E], contents[test_E]))
    copies = int((~kept_E).sum())
    if not copies:
        return train, 0
    kept = torch.split(kept_E, [len(rows) for rows in train.rows])
    fresh = [rows[marks] for rows, marks in zip(train.rows, kept, strict=True)]
    enough = torch.tensor([len(rows) >= spec.fewest_shots + spec.n_query for rows in fresh])
    return _select(Stock(tuple(fresh), train.pools, train.labels), enough), copies


def _fewest_train(spec: LabelledSpec) -> int:
    """How many classes make a meta-training episode's, when a class counts once for each of its turns."""
    return -(-spec.fewest_train_ways // TURNS) if spec.rotations else spec.fewest_train_ways


def usable_classes(spec: LabelledSpec, data: LabelledData, contents: Array) -> tuple[Stock, int, int]:
    """Classes with enough examples, how many have too few, and how many equal examples of a class were left out.

    Within tasks, the same label in two tasks is two classes.
    """
    if spec.within_task and data.tasks is None:
        raise ValueError("within_task needs a dataset with tasks, and this one has none")
    pools_E = data.tasks if spec.within_task and data.tasks is not None else torch.zeros_like(data.labels)
    n_labels = int(data.labels.max()) + 1
    pairs_E = (pools_E * n_labels + data.labels).numpy()
    _, first_E = np.unique(np.stack([pairs_E.view(np.uint64), contents]), axis=1, return_index=True)
    kept_E = np.sort(first_E)
    pairs_C, counts_C = np.unique(pairs_E[kept_E], return_counts=True)
    by_class_E = torch.from_numpy(kept_E[pairs_E[kept_E].argsort(kind="stable")])
    rows = torch.tensor_split(by_class_E, np.cumsum(counts_C)[:-1].tolist())
    enough_C = torch.from_numpy(counts_C >= spec.fewest_shots + spec.n_query)
    repeats = len(pairs_E) - len(kept_E)
    if not enough_C.any():
        once = f", equal ones counted once ({repeats} repeat another)" if repeats else ""
        raise ValueError(
            f"an episode takes n_shot + n_query = {spec.fewest_shots + spec.n_query} examples of a class, and the "
            f"largest of this dataset's {len(rows)} classes has {counts_C.max()}{once}"
        )
    stock = Stock(rows, torch.from_numpy(pairs_C // n_labels), torch.from_numpy(pairs_C % n_labels))
    return _select(stock, enough_C), int((~enough_C).sum()), repeats


def _held_out_classes(spec: LabelledSpec, stock: Stock) -> Tensor:
    """Marks bool [C] of a drawn share of the classes, at least as many as one episode needs."""
    total, fewest = len(stock.rows), spec.fewest_ways + _fewest_train(spec)
    if total < fewest:
        raise ValueError(
            f"{spec.fewest_ways}-way episodes need at least {fewest} classes of at least "
            f"{spec.fewest_shots + spec.n_query} examples, {spec.fewest_ways} of them held out for the meta-test; "
            f"this dataset has {total}"
        )
    share = round(spec.test_fraction * total)
    n_test = min(max(share, spec.fewest_ways), total - _fewest_train(spec))
    return _marks(total, _shuffled(total, spec.split_seed)[:n_test])


def _held_out_tasks(spec: LabelledSpec, data: LabelledData, stock: Stock) -> Tensor:
    """Marks bool [C] of the classes of the held-out tasks: those named, else a drawn share, at least one."""
    if spec.test_tasks:
        unknown = sorted(set(spec.test_tasks) - set(data.task_names))
        if unknown:
            raise ValueError(f"test_tasks names tasks that the dataset does not have: {', '.join(unknown)}")
        named = torch.tensor([data.task_names.index(name) for name in spec.test_tasks])
        held_out = torch.isin(stock.pools, named)
    else:
        candidates = (stock.pools.bincount() >= spec.fewest_ways).nonzero().flatten()
        n_test = max(1, round(spec.test_fraction * len(data.task_names)))
        held_out = torch.isin(stock.pools, candidates[_shuffled(len(candidates), spec.split_seed)[:n_test]])
    for side, marks, fewest in (
        ("held out", held_out, spec.fewest_ways),
        ("left for meta-training", ~held_out, _fewest_train(spec)),
    ):
        if not (stock.pools[marks].bincount() >= fewest).any():
            raise ValueError(
                f"{spec.fewest_ways}-way episodes within a task need {fewest} classes of at least "
                f"{spec.fewest_shots + spec.n_query} examples in one, and no task {side} has them"
            )
    return held_out


def without_small_pools(stock: Stock, fewest: int) -> Stock:
    return _select(stock, stock.pools.bincount()[stock.pools] >= fewest)


def _select(stock: Stock, marks_C: Tensor) -> Stock:
    kept = marks_C.nonzero().flatten()
    return Stock(tuple(stock.rows[index] for index in kept.tolist()), stock.pools[kept], stock.labels[kept])


def _shuffled(size: int, seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def _marks(size: int, chosen: Tensor) -> Tensor:
    return torch.zeros(size, dtype=torch.bool).index_fill(0, chosen, True)
