"""ASSISTments 2009 as a dataset that could be uploaded: one row for each answer, in order. Trains nothing.

A problem of several skills stands in the file once for each of them, with the same outcome: whoever sees the first
row knows the next. Here it is one answer, of the skill that is named first.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.datasets.limits import DatasetLimits
from services.datasets.reading import PARQUET, read
from services.datasets.records import DatasetColumns, LabelledArrays
from services.datasets.upload import Upload

FILE = Path("personal") / "assist2009.parquet"
COLUMNS = DatasetColumns(
    inputs=("skill", "place", "attempt"),
    target="correct",
    task="student",
    categorical=("skill",),
    order="order",
)


class Answers(NamedTuple):
    """n answers, students one after the other, each in the order in which they were given."""

    student: np.ndarray  # str [n]
    fold: np.ndarray  # int [n], the same for all of a student's
    skill: np.ndarray  # int [n]
    correct: np.ndarray  # int [n]
    place: np.ndarray  # float [n], log(1 + answers before this one)
    attempt: np.ndarray  # float [n], log(1 + answers of this skill before this one)


def read_answers(folder: Path) -> tuple[Answers, int]:
    """The answers, and how many rows were a further skill of the same one."""
    table = pq.read_table(folder / FILE)
    student, problem, order = (table[name].to_numpy() for name in ("student", "problem", "order"))
    rows = np.lexsort((order, student))
    same = (student[rows][1:] == student[rows][:-1]) & (problem[rows][1:] == problem[rows][:-1])
    kept = rows[np.concatenate([[True], ~same])]
    student, skill = student[kept], table["skill"].to_numpy()[kept].astype(np.int64)
    answers = Answers(
        student=np.array([f"s{number:05d}" for number in student]),
        fold=table["fold"].to_numpy()[kept],
        skill=skill,
        correct=table["correct"].to_numpy()[kept].astype(np.int64),
        place=np.log1p(_places(student)),
        attempt=np.log1p(_places(student.astype(np.int64) * 1000 + skill)),
    )
    return answers, len(rows) - len(kept)


def as_dataset(answers: Answers) -> LabelledArrays:
    """What an upload of them would be read as."""
    columns = {name: getattr(answers, name) for name in ("student", "skill", "correct", "place", "attempt")}
    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "order": np.arange(len(answers.student))}), buffer)
    return read(Upload(buffer.getvalue()), PARQUET, COLUMNS, DatasetLimits())


def _places(groups: np.ndarray) -> np.ndarray:
    """How many rows of the same group come before each, float [n]."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    numbers = np.arange(len(groups))
    places = np.empty(len(groups))
    places[order] = numbers - np.maximum.accumulate(np.where(starts, numbers, 0))
    return places
