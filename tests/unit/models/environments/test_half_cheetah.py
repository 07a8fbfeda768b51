"""MuJoCo's cheetahs: the settings of the reference, that a seed repeats, and that together is as one by one."""

import numpy as np
import pytest
import torch

from models.build import build_environments
from models.environments.cheetah import cheetahs
from models.environments.environment import EnvironmentFamily
from models.environments.half_cheetah import REWARDS
from models.spec import CheetahSpec
from tests.benchmarks.gymnasium_cheetah import one_by_one

pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")


def family(goal: str) -> EnvironmentFamily:
    return build_environments(CheetahSpec(goal=goal, horizon=5))  # type: ignore[arg-type]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_tasks_are_a_speed_or_a_direction() -> None:
    speeds = family("velocity").sample(seeded(), 200)
    assert (speeds.min() >= 0, speeds.max() <= 2, speeds.shape) == (True, True, (200, 1))
    directions = family("direction").sample(seeded(), 200)
    assert set(directions.flatten().tolist()) == {-1.0, 1.0}


def test_a_start_repeats_and_twins_differ() -> None:
    cheetahs = family("velocity")
    tasks = torch.tensor([[0.5], [1.5]])
    actions = torch.full((2, 2, 6), 0.3)
    runs = []
    for seed in (3, 3, 4):
        environment = cheetahs.start(tasks, 2, seeded(seed))
        assert environment.observations.shape == (2, 2, 20)
        runs.append(torch.stack([environment.step(actions).rewards for _ in range(3)]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0][:, 0, 0], runs[0][:, 0, 1])


@pytest.mark.parametrize(("action", "cost"), [(0.0, 0.0), (9.0, 0.05 * 6)])
def test_rewards_are_the_goals_less_the_cost_of_control(action: float, cost: float) -> None:
    """One start and one action, clipped to 1; two tasks tell the speed, and the two others have to agree on it."""

    def reward(goal: str, task: float) -> float:
        environment = family(goal).start(torch.tensor([[task]]), 1, seeded())
        return environment.step(torch.full((1, 1, 6), action)).rewards.item()

    forwards, backwards = reward("direction", 1.0), reward("direction", -1.0)
    speed = (forwards - backwards) / 2
    assert forwards == pytest.approx(speed - cost, abs=1e-6)
    assert reward("velocity", 0.0) == pytest.approx(-abs(speed) - cost, abs=1e-6)
    assert reward("velocity", 100.0) == pytest.approx(speed - 100.0 - cost, abs=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_together_they_are_bit_for_bit_what_they_are_one_by_one(threads: int) -> None:
    """Also at the second start of the same copies, and for long enough to fall and to touch the ground."""
    count, reward, before = 6, REWARDS["velocity"], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together, singly = cheetahs(count, reward), one_by_one(count, reward)
    finally:
        torch.set_num_threads(before)
    chance = np.random.default_rng(0)
    for one in (together, singly):
        one.set_attr("task", list(np.linspace(0, 2, count, dtype=np.float32)[:, None]))
    for first in (10, 20):
        seeds = [first + number for number in range(count)]
        seen, as_seen = (one.reset(seed=seeds)[0] for one in (together, singly))
        assert np.array_equal(seen, as_seen)
        for _ in range(60):
            actions = chance.uniform(-1, 1, (count, 6)).astype(np.float32)
            ours, theirs = together.step(actions), singly.step(actions)
            assert all(map(np.array_equal, ours[:4], theirs[:4]))
