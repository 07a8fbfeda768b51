"""Calls of the adaptation service as its routes make them, and supports for the small models."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from services.adaptation.records import Adaptation, PredictionBatch, SupportInput
from services.errors import Invalid
from tests.unit.services.adaptation.conftest import House

LINE = SupportInput(np.array([1.0, 2.0, 3.0, 4.0]), [2, 4, 6, 8])
RNG = np.random.default_rng(0)
POINTS = SupportInput(RNG.normal(size=(6, 3)), ["b", "a", "b", "a", "b", "b"])
PICTURES = SupportInput(RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8), [7, 3, 7, 3])


def create(
    house: House, model: str | None = "line", support: SupportInput = LINE, **given: Any
) -> Adaptation:
    call = {"start_from": None, "options": {}, "metadata": {}, **given}
    return house.run(house.service.create(model=model, support=support, **call))


def predict(house: House, adaptation_id: str, inputs: Any = None) -> PredictionBatch:
    return house.run(house.service.predict(adaptation_id, np.array([5.0, 6.0]) if inputs is None else inputs))


def count(house: House, row: Any) -> int:
    with house.database.read() as session:
        return session.scalar(select(func.count()).select_from(row)) or 0


def faults_of(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [fault.pointer for fault in error.value.faults]
