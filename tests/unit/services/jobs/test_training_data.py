"""A dataset's arrays as what is drawn from: examples are equal where what was uploaded is."""

import numpy as np
import pytest

from models.spec import LabelledSpec
from models.tasks.labelled import Labelled
from services.datasets.records import LabelledArrays
from services.jobs.training_data import training_data

TEXTS = [f"{word} {number}" for word in ("cat", "dog", "bird", "fish") for number in range(4)]


def _arrays(inputs: np.ndarray) -> LabelledArrays:
    targets = np.arange(len(inputs)) // 4
    return LabelledArrays(inputs, targets, ("a", "b", "c", "d"), tasks=None, task_names=())


@pytest.mark.parametrize("kind", ["texts", "images"])
def test_equal_examples_are_one_however_their_features_were_rounded(kind: str) -> None:
    features = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
    features[1] = np.nextafter(features[0], np.float32(9))
    texts = np.array([TEXTS[0], TEXTS[0], *TEXTS[2:]], dtype=object)
    images = np.arange(16, dtype=np.uint8).repeat(16).reshape(16, 4, 4, 1)
    images[1] = images[0]
    tasks = LabelledSpec(dataset="ds_1", n_way=2, n_shot=1, n_query=1)
    data = training_data(tasks, _arrays(texts if kind == "texts" else images), features)
    assert Labelled(tasks, data).split.record.repeats_dropped == 1


def test_texts_that_are_alike_up_to_where_tokens_are_cut_are_two() -> None:
    tokens = np.arange(16, dtype=np.float32)[:, None]
    tokens[1] = tokens[0]
    tasks = LabelledSpec(dataset="ds_1", n_way=2, n_shot=1, n_query=1)
    data = training_data(tasks, _arrays(np.array(TEXTS, dtype=object)), tokens)
    assert Labelled(tasks, data).split.record.repeats_dropped == 0
