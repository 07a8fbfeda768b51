"""A whole evaluation: its parts, what they are measured on, and that it can be broken off."""

from typing import Any

import numpy as np
import pytest
import torch

from models.build import build_family, build_learner
from models.spec import (
    FunctionsSpec,
    LabelledSpec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    MatchingNetSpec,
    MlpSpec,
    ProtoNetSpec,
    RidgeSpec,
    SinusoidSpec,
    max_ways_of,
    signature_of,
)
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.tasks.whole import Whole
from models.training.evaluation import evaluate
from models.training.examination import Examination, Part
from models.training.shots import at_shots

MLP = MlpSpec(hidden=(8,))


def _data(of_each: tuple[int, ...]) -> LabelledData:
    """Clusters of so many examples each, the first half of them of one task and the others of another."""
    labels = np.arange(len(of_each)).repeat(of_each)
    rng = np.random.default_rng(0)
    inputs = 3 * rng.normal(size=(len(of_each), 4))[labels] + rng.normal(size=(len(labels), 4))
    return LabelledData.from_arrays(inputs, labels, (labels >= len(of_each) // 2).astype(int))


def _examination(
    learner: LearnerSpec, tasks: Any, data: LabelledData | None = None, **more: Any
) -> Examination:
    signature = signature_of(tasks, data.wire_shape if data else None)
    ways = max_ways_of(learner, tasks, signature)
    params = build_learner(learner, signature, ways).init(torch.Generator().manual_seed(0))
    settings = {"episodes": 60, "seed": 3, **more}
    return Examination(learner, signature, ways, params, build_family(tasks, data), **settings)


def _whole(examination: Examination) -> dict[str, Any]:
    while not examination.finished:
        examination.advance(lambda _: None)
    return examination.report()


def test_a_classifier_gains_by_shots_and_says_how_sure_it_is() -> None:
    learner = LearnerSpec(algorithm=ProtoNetSpec(), network=MLP)
    tasks = LabelledSpec(dataset="d", n_way=3, n_query=4, test_fraction=0.5)
    report = _whole(_examination(learner, tasks, _data((9,) * 12), shots=(1, 2, 5, 6)))
    assert [row["shots"] for row in report["per_shot"]] == [1, 2, 5]
    assert report["per_shot"][2]["accuracy"] > report["per_shot"][0]["accuracy"]
    assert report["per_shot"][0]["accuracy"] == report["accuracy"]
    assert report["accuracy_ci95"] > 0
    assert report["calibration"]["kind"] == "confidence"
    assert sum(one["count"] for one in report["calibration"]["bins"]) == 60 * 3 * 4
    assert "per_step" not in report


def test_a_gradient_learner_has_a_row_for_every_number_of_steps() -> None:
    learner = LearnerSpec(algorithm=MamlSpec(), network=MLP)
    report = _whole(_examination(learner, SinusoidSpec(n_shot=5, n_query=5), shots=(5,)))
    assert [row["steps"] for row in report["per_step"]] == [0, 1, 5, 10]
    assert report["per_step"][1]["loss"] == report["loss"] == report["per_shot"][0]["loss"]
    assert "calibration" not in report


def test_a_range_of_shots_is_narrowed_to_one() -> None:
    learner = LearnerSpec(algorithm=RidgeSpec(), network=MLP)
    report = _whole(_examination(learner, FunctionsSpec(noise=0.05), shots=(2, 10)))
    assert [row["shots"] for row in report["per_shot"]] == [2, 10]
    assert report["per_shot"][1]["nll"] < report["per_shot"][0]["nll"]
    assert report["calibration"]["kind"] == "intervals"
    narrowed = at_shots(build_family(FunctionsSpec()), 7)
    assert narrowed is not None
    episodes = narrowed.sample(torch.Generator().manual_seed(0), 9)
    assert episodes.support.mask.sum(-1).tolist() == [7.0] * 9


def test_equal_seeds_give_equal_reports_and_the_score_of_a_meta_test() -> None:
    learner, tasks = LearnerSpec(algorithm=MamlSpec(), network=MLP), SinusoidSpec()
    first, second = (_examination(learner, tasks) for _ in range(2))
    assert _whole(first) == _whole(second)
    built = build_learner(learner, signature_of(tasks))
    params = built.init(torch.Generator().manual_seed(0))
    scores = evaluate(built, params, build_family(tasks), episodes=60, seed=3)
    assert scores.items() <= first.report().items()
    assert _whole(_examination(learner, tasks, seed=4)) != first.report()


def test_it_is_broken_off_between_draws_and_keeps_the_parts_that_are_done() -> None:
    examination = _examination(LearnerSpec(algorithm=MamlSpec(), network=MLP), SinusoidSpec())
    told: list[int] = []
    examination.advance(told.append)
    assert (told, examination.done, examination.total) == ([50, 10], 60, 300)
    assert examination.parts[:2] == (Part("score"), Part("steps", 0))

    def refuse(_: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        examination.advance(refuse)
    assert examination.done == 60
    assert "loss" in examination.report()


def test_more_shots_leave_the_split_as_it_is() -> None:
    """The rarest held-out class bounds the shots; a family built anew would hold out others."""
    spec = LabelledSpec(dataset="d", n_way=2, n_query=2, test_fraction=0.5)
    family = Labelled(spec, _data((3, 4, 5, 6, 7, 8, 9, 9)))
    least = int(family.samplers["test"].counts_C.min())
    changed = at_shots(family, least - 2)
    assert isinstance(changed, Labelled)
    assert changed.samplers is family.samplers
    assert family.spec.n_shot == 1
    assert changed.sample(torch.Generator(), 1, "test").support.targets.shape == (1, 2 * (least - 2))
    assert at_shots(family, least - 1) is None


def test_no_more_is_given_than_a_learner_keeps() -> None:
    """Of more it would keep the first, and forget the classes that come last."""
    learner = LearnerSpec(algorithm=MatchingNetSpec(max_support=16), network=MLP)
    tasks = LabelledSpec(dataset="d", n_way=3, n_query=4, test_fraction=0.5)
    examination = _examination(learner, tasks, _data((14,) * 12), shots=(1, 5, 6, 10))
    assert [part.number for part in examination.parts if part.kind == "shots"] == [1, 5]


def test_the_whole_of_a_dataset_is_drawn_from() -> None:
    spec = LabelledSpec(dataset="d", n_way=3, n_query=4, rotations=True, train_ways=9)
    family = Whole(spec, _data((5, 5, 5, 4)))
    query = family.sample(torch.Generator().manual_seed(0), 40, "test").query
    assert len(family.samplers["test"].counts_C) == 3
    assert len(query.inputs.flatten(0, 1).unique(dim=0)) == 15
    within = Whole(LabelledSpec(dataset="d", n_way=2, n_query=4, within_task=True), _data((5, 5, 5, 4)))
    assert len(within.samplers["test"].counts_C) == 2
    with pytest.raises(ValueError, match="need 4 classes of at least"):
        Whole(LabelledSpec(dataset="d", n_way=4, n_query=4), _data((5, 5, 5, 4)))
    with pytest.raises(ValueError, match="the largest of this dataset's 4 classes has 5"):
        Whole(LabelledSpec(dataset="d", n_way=3, n_query=5), _data((5, 5, 5, 4)))


def test_an_example_that_is_there_twice_is_not_given_and_asked_for() -> None:
    once = _data((6, 6, 6))
    twice = LabelledData.from_arrays(once.inputs.repeat(2, 1).numpy(), once.labels.repeat(2).numpy())
    family = Whole(LabelledSpec(dataset="d", n_way=3, n_query=5), twice)
    batch = family.sample(torch.Generator().manual_seed(0), 20, "test")
    for given, asked in zip(batch.support.inputs, batch.query.inputs, strict=True):
        assert len(torch.cat([given, asked]).unique(dim=0)) == 18


def test_a_version_that_a_learner_has_outgrown_is_refused_before_the_first_part() -> None:
    learner = LearnerSpec(algorithm=LocalMatchingSpec(max_support=6), network=MLP)
    tasks, data = LabelledSpec(dataset="d", n_way=3, n_query=4, test_fraction=0.5), _data((9,) * 12)
    signature = signature_of(tasks, data.wire_shape)
    params = build_learner(learner, signature).init(torch.Generator().manual_seed(0))
    params["matching.displacement"] = params.pop("matching.reach")
    with pytest.raises(ValueError, match=r"matching\.displacement, matching\.reach; .* meta-trained anew"):
        Examination(learner, signature, None, params, build_family(tasks, data), episodes=6, seed=3)
