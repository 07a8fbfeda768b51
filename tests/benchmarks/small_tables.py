"""Real small tables, cut into episodes: a few labelled rows, and others to predict. Knows no learner.

From a folder of `cls_<name>.csv.gz` and `reg_<name>.csv.gz` with a column `target`, and from scikit-learn's toys.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

SIZES = (8, 16, 32, 64)
MOST_CLASSES = 10
MOST_QUERIES = 200

# Found to repeat rows, which would be in both halves of an episode; and columns that the target was computed from.
_REPEATING = ("letter", "segmentation")
_GIVEN_AWAY = {"bodyfat": ("Density",)}


class Table(NamedTuple):
    """`targets` int64 class numbers, or float64."""

    name: str
    classes: bool
    inputs: Array  # float64 [n, D]
    targets: Array  # [n]


class Draw(NamedTuple):
    """One episode; class targets are numbered 0.. within it, and each has a labelled row."""

    table: str
    classes: bool
    size: int
    number: int
    support_x: Array
    support_y: Array
    query_x: Array
    query_y: Array


def tables_in(folder: Path) -> list[Table]:
    """The folder's, in the order of their names, and then scikit-learn's."""
    found = []
    for path in sorted(folder.glob("*.csv.gz")):
        kind, _, name = path.name.removesuffix(".csv.gz").partition("_")
        name = name.lstrip("0123456789_")
        with gzip.open(path, "rt") as file:
            header, *rows = csv.reader(file)
        columns = [at for at, column in enumerate(header) if column not in _GIVEN_AWAY.get(name, ())]
        values = np.array([[float(row[at]) for at in columns] for row in rows])
        found.append(_table(name, kind == "cls", values[:, :-1], values[:, -1]))
    return found + _toys()


def draws_of(table: Table, size: int, draws: int, seed: int) -> Iterator[Draw]:
    """The same for the same seed. Of more classes than ten, or than half the labelled rows, some are drawn."""
    for number in range(draws):
        generator = np.random.default_rng([seed, size, number, *table.name.encode()])
        if table.classes:
            yield _classified(table, size, number, generator)
        else:
            order = generator.permutation(len(table.inputs))
            support, query = order[:size], order[size : size + MOST_QUERIES]
            yield _draw(table, size, number, support, query, table.targets)


def _classified(table: Table, size: int, number: int, generator: np.random.Generator) -> Draw:
    classes = generator.permutation(np.unique(table.targets))[: min(MOST_CLASSES, size // 2)]
    slots = np.full(int(table.targets.max()) + 1, -1)
    slots[classes] = np.arange(len(classes))
    targets = slots[table.targets]
    rows = generator.permutation(np.flatnonzero(targets >= 0))
    first = np.array([rows[targets[rows] == slot][0] for slot in range(len(classes))])
    others = rows[~np.isin(rows, first)]
    rest = size - len(first)
    support = generator.permutation(np.concatenate([first, others[:rest]]))
    return _draw(table, size, number, support, others[rest : rest + MOST_QUERIES], targets)


def _draw(table: Table, size: int, number: int, support: Array, query: Array, targets: Array) -> Draw:
    x = table.inputs
    return Draw(
        table.name, table.classes, size, number, x[support], targets[support], x[query], targets[query]
    )


def _table(name: str, classes: bool, inputs: Array, targets: Array) -> Table:
    if name in _REPEATING:
        _, kept = np.unique(inputs, axis=0, return_index=True)
        inputs, targets = inputs[np.sort(kept)], targets[np.sort(kept)]
    if classes:
        _, targets = np.unique(targets, return_inverse=True)
    return Table(name, classes, inputs, targets)


def _toys() -> list[Table]:
    from sklearn import datasets

    classified = ("iris", "wine", "breast_cancer", "digits")
    loaded = [(name, True, getattr(datasets, f"load_{name}")(return_X_y=True)) for name in classified]
    # The raw diabetes: its usual form is standardised over all rows, those to predict among them.
    loaded.append(("diabetes", False, datasets.load_diabetes(return_X_y=True, scaled=False)))
    return [_table(name, classes, *data) for name, classes, data in loaded]
