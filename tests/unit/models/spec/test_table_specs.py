"""What follows from a family of tables and its learner; and which parts do not go together."""

import pytest

from models.build import build_learner
from models.spec import (
    ColumnSpec,
    LearnerSpec,
    MlpSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    RowTransformerSpec,
    Signature,
    TablesSpec,
    TableTransformerSpec,
    TensorSpec,
    columns_of,
    max_ways_of,
    signature_of,
)

LEARNER = LearnerSpec(algorithm=PriorFittedSpec(), network=TableTransformerSpec(width=8, layers=1))
VECTORS = TensorSpec(datatype="FP32", shape=(-1, 3))
LABELS = TensorSpec(datatype="BYTES", shape=(-1,))


def test_a_signature_is_as_wide_as_the_widest_table() -> None:
    classes, numbers = TablesSpec(columns=9, classes=7), TablesSpec(task="regression", columns=5)
    assert signature_of(classes).inputs.shape == (-1, 9)
    assert signature_of(classes).task == "classification"
    assert max_ways_of(LEARNER, classes) == 7
    assert signature_of(numbers).targets.shape == (-1, 1)
    assert max_ways_of(LEARNER, numbers) is None


def test_a_base_for_tables_takes_fewer_columns_unless_they_have_names() -> None:
    signature = signature_of(TablesSpec(columns=9))
    assert columns_of(LEARNER, signature) == range(1, 10)
    assert columns_of(LEARNER, Signature(inputs=VECTORS, targets=LABELS)) == range(1, 4)
    named = tuple(ColumnSpec(name=name) for name in "abc")
    assert columns_of(LEARNER, Signature(inputs=VECTORS, targets=LABELS, columns=named)) is None
    assert columns_of(LearnerSpec(algorithm=ProtoNetSpec(), network=MlpSpec()), signature) is None


@pytest.mark.parametrize(
    ("learner", "signature", "ways", "message"),
    [
        (LEARNER, Signature(inputs=VECTORS, targets=LABELS), None, "needs max_ways"),
        (LEARNER, Signature(inputs=VECTORS, targets=VECTORS), None, "predicts one number"),
        (
            LEARNER,
            Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 8, 8, 1)), targets=LABELS),
            3,
            "the inputs are images",
        ),
        (
            LearnerSpec(algorithm=PriorFittedSpec(), network=MlpSpec()),
            Signature(inputs=VECTORS, targets=LABELS),
            3,
            "its network is table_transformer",
        ),
        (
            LearnerSpec(algorithm=ProtoNetSpec(), network=TableTransformerSpec()),
            Signature(inputs=VECTORS, targets=LABELS),
            None,
            "it is prior_fitted's",
        ),
        (
            LearnerSpec(algorithm=ProtoNetSpec(), network=RowTransformerSpec()),
            Signature(inputs=VECTORS, targets=LABELS),
            None,
            "row_transformer makes no features",
        ),
    ],
)
def test_what_does_not_go_together_is_not_built(
    learner: LearnerSpec, signature: Signature, ways: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_learner(learner, signature, ways)
