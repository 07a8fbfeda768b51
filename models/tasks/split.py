"""Which classes of a labelled dataset meta-training may see, and which are held out. Knows no episode."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.spec import LabelledSpec
from models.tasks.labelled_data import LabelledData

TURNS = 4  # quarter turns of an image, each a class where `rotations` is set


@dataclass(frozen=True)
class Stock:
    """The classes that one side draws from."""

    rows: tuple[Tensor, ...]  # int64 [n_c] for each class
    pools: Tensor  # int64 [C]: the dataset's task where episodes stay within one, else 0


def split_classes(spec: LabelledSpec, data: LabelledData) -> tuple[Stock, Stock]:
    """The stocks of meta-training and of the meta-test; they share no class, and `within_task` no task.

    A class with fewer than n_shot + n_query examples is left out, and so is a task with fewer than n_way such
    classes. Raises ValueError, saying what is missing, where too little remains.
    """
    if spec.test_tasks and not spec.within_task:
        raise ValueError("test_tasks holds out whole tasks, so it needs within_task")
    stock = _usable(spec, data)
    held_out_C = _held_out_tasks(spec, data, stock) if spec.within_task else _held_out_classes(spec, stock)
    train, test = _select(stock, ~held_out_C), _select(stock, held_out_C)
    return _without_small_pools(train, _fewest_train(spec)), _without_small_pools(test, spec.n_way)


def _fewest_train(spec: LabelledSpec) -> int:
    """How many classes make a meta-training episode's, when a class counts once for each of its turns."""
    return -(-spec.most_ways // TURNS) if spec.rotations else spec.most_ways


def _usable(spec: LabelledSpec, data: LabelledData) -> Stock:
    """Classes with enough examples. Within tasks, the same label in two tasks is two classes."""
    if spec.within_task and data.tasks is None:
        raise ValueError("within_task needs a dataset with tasks, and this one has none")
    pools_E = data.tasks if spec.within_task and data.tasks is not None else torch.zeros_like(data.labels)
    n_labels = int(data.labels.max()) + 1
    pairs_C, counts_C = np.unique((pools_E * n_labels + data.labels).numpy(), return_counts=True)
    by_class_E = (pools_E * n_labels + data.labels).argsort(stable=True)
    rows = torch.tensor_split(by_class_E, np.cumsum(counts_C)[:-1].tolist())
    enough_C = torch.from_numpy(counts_C >= spec.n_shot + spec.n_query)
    if not enough_C.any():
        raise ValueError(
            f"an episode takes n_shot + n_query = {spec.n_shot + spec.n_query} examples of a class, and the "
            f"largest of this dataset's {len(rows)} classes has {counts_C.max()}"
        )
    return _select(Stock(rows, torch.from_numpy(pairs_C // n_labels)), enough_C)


def _held_out_classes(spec: LabelledSpec, stock: Stock) -> Tensor:
    """Marks bool [C] of a drawn share of the classes, at least as many as one episode needs."""
    total, fewest = len(stock.rows), spec.n_way + _fewest_train(spec)
    if total < fewest:
        raise ValueError(
            f"{spec.n_way}-way episodes need at least {fewest} classes of at least "
            f"{spec.n_shot + spec.n_query} examples, {spec.n_way} of them held out for the meta-test; this "
            f"dataset has {total}"
        )
    share = round(spec.test_fraction * total)
    n_test = min(max(share, spec.n_way), total - _fewest_train(spec))
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
        candidates = (stock.pools.bincount() >= spec.n_way).nonzero().flatten()
        n_test = max(1, round(spec.test_fraction * len(data.task_names)))
        held_out = torch.isin(stock.pools, candidates[_shuffled(len(candidates), spec.split_seed)[:n_test]])
    for side, marks, fewest in (
        ("held out", held_out, spec.n_way),
        ("left for meta-training", ~held_out, _fewest_train(spec)),
    ):
        if not (stock.pools[marks].bincount() >= fewest).any():
            raise ValueError(
                f"{spec.n_way}-way episodes within a task need {fewest} classes of at least "
                f"{spec.n_shot + spec.n_query} examples in one, and no task {side} has them"
            )
    return held_out


def _without_small_pools(stock: Stock, fewest: int) -> Stock:
    return _select(stock, stock.pools.bincount()[stock.pools] >= fewest)


def _select(stock: Stock, marks_C: Tensor) -> Stock:
    kept = marks_C.nonzero().flatten()
    return Stock(tuple(stock.rows[index] for index in kept.tolist()), stock.pools[kept])


def _shuffled(size: int, seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def _marks(size: int, chosen: Tensor) -> Tensor:
    return torch.zeros(size, dtype=torch.bool).index_fill(0, chosen, True)
