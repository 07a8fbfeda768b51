"""Which intents a wrong answer confuses, and an encoder that is fitted to labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from models.encoders.folder import read_folder
from models.encoders.text import TextEncoder
from tests.benchmarks.clinc import confused
from tests.benchmarks.clinc_methods import accuracy_of, names_of, words_in
from tests.benchmarks.intents import Task
from tests.benchmarks.supervised_encoder import fitted_scores
from tests.small_encoders import WORDS, text_encoder


def test_a_wrong_answer_confuses_two_intents_in_either_direction() -> None:
    labels = np.array(["yes", "no", "maybe"]).repeat(3)
    # Slot 0 is no, slot 1 maybe, slot 2 yes.
    task = Task(
        torch.tensor([3, 6, 0]), torch.arange(3), torch.tensor([4, 7, 1, 2]), torch.tensor([0, 1, 2, 2])
    )
    answers = torch.tensor([2, 1, 0, 1])
    assert confused(answers, task, labels) == {"no / yes": 2, "maybe / yes": 1}
    assert accuracy_of(answers, task) == 25.0


def test_an_episode_is_given_the_names_of_its_own_classes_in_their_order() -> None:
    labels = np.array(["yes_please", "no", "maybe"]).repeat(3)
    assert words_in(labels) == ["maybe", "no", "yes please"]
    names = torch.arange(3.0).unsqueeze(-1)
    nothing = torch.zeros(0, dtype=torch.int64)
    # Slot 0 is no, slot 1 yes; no example of either.
    task = Task(nothing, nothing, torch.tensor([4, 1, 2]), torch.tensor([0, 1, 1]))
    assert names_of(task, labels, names).flatten().tolist() == [1.0, 2.0]


def test_an_encoder_is_fitted_to_what_is_known_and_stays_as_it_was(tmp_path: Path) -> None:
    """Texts by their first word, which an untrained encoder mixes with the second."""
    encoder = TextEncoder(read_folder(text_encoder(tmp_path / "small")), torch.device("cpu"))
    texts = [f"{one} {other}" for one in WORDS for other in WORDS] * 4
    labels = torch.arange(len(WORDS)).repeat_interleave(len(WORDS)).repeat(4)
    known = torch.arange(len(texts)) % 5 > 0
    start = (torch.zeros(len(WORDS), encoder.width), torch.zeros(len(WORDS)))
    before = encoder.encode(texts[:8])

    def fitted(told: torch.Tensor) -> torch.Tensor:
        return fitted_scores(encoder, texts, told, known, start, layers=1, epochs=8, seed=0)

    scores = fitted(labels)
    assert (scores.argmax(1) == labels).double().mean() > 3 / len(WORDS)
    assert torch.equal(encoder.encode(texts[:8]), before)
    assert torch.equal(scores, fitted(torch.where(known, labels, 0)))
