"""Labelled rows of a table: numbers standardised by the classes of meta-training, whatever their units."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from models.build import build_family, build_learner
from models.spec import (
    ColumnSpec,
    LabelledSpec,
    LearnerSpec,
    MlpSpec,
    ProtoNetSpec,
    Signature,
    TensorSpec,
    signature_of,
)
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData

CLASSES, EACH = 8, 6
SPEC = LabelledSpec(dataset="", n_way=3, n_shot=2, n_query=2)
PROTONET = LearnerSpec(algorithm=ProtoNetSpec(), network=MlpSpec(hidden=(8,)))


def table(scale: float = 1.0, offset: float = 0.0, columns: int = 3) -> LabelledData:
    numbers = np.random.default_rng(0).normal(size=(CLASSES * EACH, columns))
    inputs = (numbers * scale + offset).astype(np.float32)
    signature = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, columns)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
        columns=tuple(ColumnSpec(name=name) for name in "abc"[:columns]),
    )
    return LabelledData.from_arrays(inputs, np.repeat(np.arange(CLASSES), EACH), table=signature)


def family_of(data: LabelledData) -> Labelled:
    family = build_family(SPEC, data)
    assert isinstance(family, Labelled)
    return family


def test_numbers_are_standardised_by_meta_trainings_classes_alone() -> None:
    data = table(scale=7.0, offset=100.0)
    family = family_of(data)
    held_out = torch.cat(family.split.test.rows)
    assert family.table is not None
    changed = data.inputs.clone()
    changed[held_out] += 1e4
    moved = family_of(_with(data, changed))
    assert moved.table == family.table
    seen = data.inputs[torch.cat(family.split.train.rows)].double()
    for place, column in enumerate(family.table.columns):
        assert column.name == "abc"[place]
        assert column.mean == pytest.approx(seen[:, place].mean().item())
        assert column.scale == pytest.approx(seen[:, place].std(correction=0).item())


def test_a_tables_units_do_not_matter() -> None:
    losses = []
    for scale, offset in ((1.0, 0.0), (1000.0, -5000.0)):
        family = family_of(table(scale, offset))
        learner = build_learner(PROTONET, signature_of(SPEC, (3,), family.table))
        params = learner.init(torch.Generator().manual_seed(0))
        episodes = family.sample(torch.Generator().manual_seed(1), 4)
        losses.append(torch.func.vmap(partial(_loss, learner, params))(episodes))
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-3, atol=1e-3)


def test_a_column_that_never_changes_is_ignored_and_a_table_of_such_refused() -> None:
    data = table()
    inputs = data.inputs.clone()
    inputs[:, 0] = 5.0
    family = family_of(_with(data, inputs))
    assert family.table is not None
    assert family.table.columns[0].scale == 0
    constant = torch.full_like(data.inputs, 2.0)
    with pytest.raises(ValueError, match=r"has 1, equal ones counted once \(40 repeat another\)"):
        family_of(_with(data, constant))


def _with(data: LabelledData, inputs: torch.Tensor) -> LabelledData:
    return LabelledData(inputs, data.labels, data.tasks, data.task_names, data.label_names, data.table)


def _loss(learner: Any, params: Any, episode: Any) -> torch.Tensor:
    loss: torch.Tensor = learner.meta_loss(params, episode)[0]
    return loss
