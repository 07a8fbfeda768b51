"""What nearly every label allows: a text is never answered by itself, and only among its episode's classes."""

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from tests.benchmarks.clinc_labels import informed_accuracy, informed_scores
from tests.benchmarks.intents import Task

LABELS = np.repeat([3, 5, 8], 20)


def test_a_text_is_answered_by_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    told = torch.eye(3).repeat_interleave(20, dim=0) * 3.0
    apart = told + 0.1 * torch.randn(60, 3, generator=generator)
    assert (np.array([3, 5, 8])[informed_scores(apart, LABELS, 0).argmax(1)] == LABELS).all()
    # Nothing but each text's own noise: who fitted it to its own label would know all.
    noise = torch.randn(60, 200, generator=generator)
    assert (np.array([3, 5, 8])[informed_scores(noise, LABELS, 0).argmax(1)] == LABELS).mean() < 0.6


def test_an_answer_is_one_of_the_episodes_classes() -> None:
    scores = np.zeros((60, 3))
    scores[:, 0], scores[:, 2] = 9.0, 1.0  # class 3 first, but it is not asked for; then class 8
    query = torch.tensor([21, 41, 22, 42])
    task = Task(torch.tensor([40, 20]), torch.tensor([0, 1]), query, torch.tensor([1, 0, 1, 0]))
    assert informed_accuracy(scores, LABELS, task) == 50.0
