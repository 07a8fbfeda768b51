import pytest

from innerloop import ClassPrediction, Predictions, RegressionPrediction
from innerloop.schemas.predictions import PredictionsResponse
from tests import answers


def predictions(*rows):
    return Predictions(PredictionsResponse.model_validate(answers.predictions(*rows)))


def test_regression_has_values_and_stds():
    found = predictions({"value": 9.9, "std": 0.1}, {"value": 12.1, "std": None})
    assert (found.values, found.stds) == ([9.9, 12.1], [0.1, None])
    assert len(found) == 2
    assert isinstance(found[0], RegressionPrediction)
    assert [row.value for row in found] == found.values
    assert [row.value for row in found[1:]] == [12.1]
    assert (found.adaptation, found.revision, str(found.model)) == ("adp_1", 1, "functions@2")


def test_several_columns_are_lists():
    found = predictions({"value": [1.0, 2.0], "std": [0.1, 0.2]})
    assert (found.values, found.stds) == ([[1.0, 2.0]], [[0.1, 0.2]])


@pytest.mark.parametrize("label", ["7", 7])
def test_labels_keep_their_type(label):
    found = predictions({"label": label, "probability": 0.9, "probabilities": {"7": 0.9, "8": 0.1}})
    assert isinstance(found[0], ClassPrediction)
    assert found.labels == [label]
    assert type(found.labels[0]) is type(label)
    assert found.probabilities == [{"7": 0.9, "8": 0.1}]


def test_asking_for_the_other_kind_says_what_there_is():
    with pytest.raises(TypeError, match="use values or stds"):
        _ = predictions({"value": 1.0, "std": None}).labels
    with pytest.raises(TypeError, match="use labels or probabilities"):
        _ = predictions({"label": "a", "probability": 1.0, "probabilities": {"a": 1.0}}).values


def test_they_print_themselves():
    assert "value=9.9" in repr(predictions())
    assert "model='functions@2'" in repr(predictions())
