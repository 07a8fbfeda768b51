"""Students who were never seen: the next answer after 5, 20 and 50, beside a skill's mean and logistic regression.

Five folds of students; each is left out once, and what is told is over the answers of all. The regression has a
term for every student and for every skill, and is fitted on the training students' answers and the same first ones.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
import scipy.sparse
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.algorithms.batched import adapt_batch, predict_batch
from models.build import build_learner
from models.episode import SupportSet
from models.tasks.grouped_data import GroupedData
from models.training.recipes import RECIPES
from services.datasets.records import LabelledArrays
from services.jobs.meta_training import MetaTraining
from services.jobs.preparation import choose_device, prepare
from services.jobs.settings import WorkerSettings
from services.jobs.training_data import training_data
from tests.benchmarks.figures import Figure, Report, number
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.benchmarks.student_answers import Answers, as_dataset, read_answers

SHOTS = (5, 20, 50)
AHEAD = 10
PENALTIES = (0.5, 1.0, 2.0)  # C of the regression: the best of these, for each number of answers, is told
OURS, MEAN, REGRESSION = "meta-trained", "skill's mean", "student and skill terms"


class Asked(NamedTuple):
    """For every student of a fold with more than k answers: rows of the first k, and of those that follow."""

    given: list[np.ndarray]
    following: list[np.ndarray]


Said = dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]]


def measure(options: Options) -> Report:
    """Raises ValueError where no folder of data was named."""
    if options.data is None:
        raise ValueError("students needs --data, a folder with personal/assist2009.parquet")
    choose_device("cpu", 1)
    answers, merged = read_answers(options.data)
    dataset = as_dataset(answers)
    said: Said = {}
    for fold in np.unique(answers.fold):
        for name, shots, rows, scores in _fold(answers, dataset, int(fold), options.seed):
            said.setdefault((name, shots), []).append((rows, scores))
        say(f"fold {fold} of {len(np.unique(answers.fold))}")
    table = {key: _areas(parts, answers) for key, parts in said.items()}
    figures = [figure for shots in SHOTS for figure in _figures(table, shots)]
    return Report(
        suite="students",
        title="Students: the next answer of somebody new",
        how=(
            "Area under the curve over the next answer of every student who gave more than so many, each "
            "predicted by a model that saw none of the student's fold (5 folds). *Skill's mean* is the training "
            "students'; the "
            f"regression is scikit-learn's, at the best C of {', '.join(map(str, PENALTIES))}. {merged:,} rows "
            "that repeat an answer for a further skill are left out: they would give the next row's outcome away."
        ),
        seed=options.seed,
        scale={"students": len(np.unique(answers.student)), "answers": len(answers.student)},
        figures=figures,
        series={
            "shots": list(SHOTS),
            "areas": {
                name: [table[name, shots] for shots in SHOTS] for name in sorted({name for name, _ in table})
            },
        },
    )


def _figures(table: dict[tuple[str, int], tuple[float, float]], shots: int) -> Iterator[Figure]:
    ours, mean = table[OURS, shots], table[MEAN, shots]
    rates = [(f"{REGRESSION}, C {rate:g}", table[f"{REGRESSION}, C {rate:g}", shots]) for rate in PENALTIES]
    (best, regression), (best_ahead, ahead) = (max(rates, key=lambda one: one[1][place]) for place in (0, 1))
    for what, value, others in (
        ("the next answer", ours[0], ((MEAN, mean[0]), (best, regression[0]))),
        (f"the next {AHEAD} answers", ours[1], ((MEAN, mean[1]), (best_ahead, ahead[1]))),
    ):
        yield Figure(
            what=f"after {shots} answers, {what}: AUC",
            value=value,
            at_least=max(area for _, area in others) if what == "the next answer" else None,
            beside="; ".join(f"{name} {number(area)}" for name, area in others),
        )


def _areas(parts: list[tuple[np.ndarray, np.ndarray]], answers: Answers) -> tuple[float, float]:
    """Over the next answer alone, and over the next `AHEAD`; rows and scores are [students, AHEAD], -1 for none."""
    rows, scores = (np.concatenate(list(column)) for column in zip(*parts, strict=True))
    real = rows >= 0
    whole = roc_auc_score(answers.correct[rows[real]], scores[real])
    return float(roc_auc_score(answers.correct[rows[:, 0]], scores[:, 0])), float(whole)


def _fold(
    answers: Answers, dataset: LabelledArrays, fold: int, seed: int
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    held_out = answers.fold == fold
    skills = answers.skill
    seen = np.bincount(skills[~held_out], minlength=skills.max() + 1)
    right = np.bincount(skills[~held_out], answers.correct[~held_out], minlength=len(seen))
    means = (right + answers.correct[~held_out].mean()) / (seen + 1)
    ours = _Ours(answers, dataset, held_out, seed)
    for shots in SHOTS:
        asked = asked_of(answers, held_out, shots)
        rows = np.full((len(asked.given), AHEAD), -1)
        for line, following in zip(rows, asked.following, strict=True):
            line[: len(following)] = following
        known = np.where(rows >= 0, rows, 0)
        yield MEAN, shots, rows, means[skills[known]]
        yield OURS, shots, rows, ours.scores(asked, known)
        fitted = np.concatenate([np.flatnonzero(~held_out), *asked.given])
        for rate in PENALTIES:
            yield f"{REGRESSION}, C {rate:g}", shots, rows, _regression(answers, fitted, known, rate)


def asked_of(answers: Answers, held_out: np.ndarray, shots: int) -> Asked:
    """Never a row of the future among the given."""
    rows = np.flatnonzero(held_out)
    _, starts, counts = np.unique(answers.student[rows], return_index=True, return_counts=True)
    long = [(rows[start], count) for start, count in zip(starts, counts, strict=True) if count > shots]
    return Asked(
        [np.arange(first, first + shots) for first, _ in long],
        [np.arange(first + shots, first + min(count, shots + AHEAD)) for first, count in long],
    )


def _regression(answers: Answers, fitted: np.ndarray, asked: np.ndarray, rate: float) -> np.ndarray:
    _, students = np.unique(answers.student, return_inverse=True)
    width = students.max() + 1 + answers.skill.max() + 1

    def terms(rows: np.ndarray) -> scipy.sparse.csr_matrix:
        columns = np.stack([students[rows], students.max() + 1 + answers.skill[rows]], 1).ravel()
        places = np.repeat(np.arange(len(rows)), 2)
        return scipy.sparse.csr_matrix((np.ones(2 * len(rows)), (places, columns)), (len(rows), width))

    model = LogisticRegression(C=rate, max_iter=300).fit(terms(fitted), answers.correct[fitted])
    scores: np.ndarray = model.decision_function(terms(asked.ravel())).reshape(asked.shape)
    return scores


class _Ours:
    """The recipe, trained without a fold's students."""

    def __init__(self, answers: Answers, dataset: LabelledArrays, held_out: np.ndarray, seed: int) -> None:
        config = next(recipe.config for recipe in RECIPES if recipe.name == "students")
        tasks = msgspec.structs.replace(
            config.tasks,
            dataset="ds_students",
            test_tasks=tuple(np.unique(answers.student[held_out]).tolist()),
        )
        training = msgspec.structs.replace(config.training, seed=seed, test_episodes=100)
        config = msgspec.structs.replace(config, tasks=tasks, training=training)
        data = training_data(tasks, dataset)  # type: ignore[arg-type]
        assert isinstance(data, GroupedData)
        plain = msgspec.json.decode(msgspec.json.encode(config))
        run = prepare(plain, lambda *_: data, WorkerSettings(worker_device="cpu"))
        assert isinstance(run, MetaTraining)
        while not run.finished:
            run.run(100)
        self._inputs, self._targets = torch.from_numpy(dataset.inputs), torch.from_numpy(dataset.targets)
        self._params = run.phases.meta_params
        self._learner = build_learner(config.learner, run.signature, len(data.classes))

    def scores(self, asked: Asked, rows: np.ndarray) -> np.ndarray:
        """Log odds of a right answer [students, AHEAD]."""
        given = torch.from_numpy(np.stack(asked.given))
        support = SupportSet(
            self._inputs[given],
            self._targets[given],
            torch.ones(given.shape),
            torch.ones(len(given), 2),
        )
        adapted = adapt_batch(self._learner, self._params, support)
        outputs = predict_batch(self._learner, self._params, adapted, self._inputs[torch.from_numpy(rows)])
        wrong, right = outputs["logits"].unbind(-1)
        odds: np.ndarray = (right - wrong).numpy()
        return odds
