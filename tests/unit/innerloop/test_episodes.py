"""Episodes as callers have them, and what goes on the wire."""

from typing import Any

import numpy as np
import pytest

from innerloop import InvalidInput
from innerloop.arrays import Tensor
from innerloop.episodes import pack_episodes
from innerloop.wire import encode

EPISODE = {
    "observations": np.zeros((3, 2), np.float64),
    "actions": np.array([0, 2, 1]),
    "rewards": [0.0, 1.0, 2.0],
    "log_probs": np.zeros(3, np.float32),
    "terminated": np.True_,
}


def test_arrays_become_tensors_and_whole_actions_stay_whole() -> None:
    (packed,) = pack_episodes([EPISODE])
    assert (packed["observations"].datatype, packed["observations"].shape) == ("FP32", (3, 2))
    assert packed["actions"] == [0, 2, 1]
    assert isinstance(packed["rewards"], Tensor)
    assert packed["terminated"] is True
    assert isinstance(packed["log_probs"], Tensor)


def test_tensors_of_episodes_follow_the_document_in_its_order() -> None:
    first = {**EPISODE, "rewards": [1.0, 2.0, 3.0]}
    body = encode({"support": {"episodes": pack_episodes([first, EPISODE])}})
    head = int(body.headers["Inference-Header-Content-Length"])
    numbers = np.frombuffer(body.content[head:], np.float32)
    # Of each episode six numbers seen, three rewards, three log-probabilities.
    assert numbers[6:9].tolist() == [1, 2, 3]
    assert numbers[18:21].tolist() == [0, 1, 2]
    assert len(numbers) == 24


@pytest.mark.parametrize(
    ("episodes", "said"),
    [
        (EPISODE, "a list of episodes, not dict"),
        (3, "a list of episodes, not int"),
        ([[1]], r"episodes\[0\] is list"),
        ([{"observations": [1], "actions": [1]}], r"episodes\[0\] has no rewards"),
        ([EPISODE, {**EPISODE, "reward": 1}], r"episodes\[1\] has 'reward'"),
        ([{**EPISODE, "rewards": [[1], [1, 2]]}], r"episodes\[0\]\.rewards"),
    ],
)
def test_what_is_no_episode_is_said_before_anything_is_sent(episodes: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        pack_episodes(episodes)
