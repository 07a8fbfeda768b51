"""A learner behind a table's columns: what it sees, and in which units it answers."""

import pytest
import torch

from models.algorithms.encoded import ColumnEncoding, Encoded
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.spec import (
    AlgorithmSpec,
    ColumnSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    RidgeSpec,
    Signature,
    TensorSpec,
)

COLUMNS = (
    ColumnSpec(name="a", mean=10.0, scale=2.0),
    ColumnSpec(name="kind", categories=("x", "y", "z")),
    ColumnSpec(name="same", mean=5.0, scale=0.0),
)
SIGNATURE = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 3)),
    targets=TensorSpec(datatype="FP32", shape=(-1, 1)),
    columns=COLUMNS,
    target_columns=(ColumnSpec(mean=100.0, scale=20.0),),
)


def test_numbers_are_standardised_and_categories_become_columns() -> None:
    encoded = ColumnEncoding(COLUMNS).encode(torch.tensor([[14.0, 1.0, 7.0], [10.0, 5.0, 5.0]]))
    assert encoded.tolist() == [[2.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    assert SIGNATURE.encoded.inputs.shape == (-1, 5)
    assert SIGNATURE.encoded.columns == ()


def _learners(algorithm: AlgorithmSpec) -> tuple[Encoded, object]:
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(6,)))
    wrapped = build_learner(spec, SIGNATURE)
    assert isinstance(wrapped, Encoded)
    return wrapped, build_learner(spec, SIGNATURE.encoded)


@pytest.mark.parametrize("algorithm", [MamlSpec(inner_steps=3, inner_lr=0.1), RidgeSpec(components=2)])
def test_it_answers_as_the_learner_does_of_the_encoded_task(algorithm: AlgorithmSpec) -> None:
    wrapped, plain = _learners(algorithm)
    params = wrapped.init(torch.Generator().manual_seed(0))
    inputs = torch.tensor([[9.0, 0, 5], [13.0, 1, 5], [11.0, 2, 5], [8.0, 2, 5]])
    targets = torch.tensor([[90.0], [130.0], [120.0], [70.0]])
    encode = ColumnEncoding(COLUMNS).encode
    support = SupportSet(inputs, targets, torch.ones(4), torch.ones(0))
    as_seen = SupportSet(encode(inputs), (targets - 100) / 20, torch.ones(4), torch.ones(0))
    adapted = wrapped.adapt(params, support)
    answer = wrapped.predict(params, adapted, inputs)
    expected = plain.predict(params, plain.adapt(params, as_seen), encode(inputs))
    torch.testing.assert_close(answer["mean"], expected["mean"] * 20 + 100)
    if "std" in expected:
        torch.testing.assert_close(answer["std"], expected["std"] * 20)
    loss = wrapped.support_loss(params, adapted, support)
    torch.testing.assert_close(loss, (answer["mean"] - targets).square().mean())
    query = QuerySet(inputs, targets, torch.ones(4))
    torch.testing.assert_close(
        wrapped.meta_loss(params, Episode(support, query))[0],
        plain.meta_loss(params, Episode(as_seen, QuerySet(*as_seen[:3])))[0],
    )
