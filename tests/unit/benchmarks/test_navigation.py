"""Navigation through Gymnasium is the same environment: its steps may be timed beside ours."""

import pytest
import torch

from models.build import build_environments
from models.spec import NavigationSpec
from tests.benchmarks.gymnasium_navigation import GymnasiumNavigation


def test_both_walk_alike_for_as_long_as_both_walk() -> None:
    pytest.importorskip("gymnasium")
    spec = NavigationSpec(horizon=12)
    generator = torch.Generator().manual_seed(0)
    goals = torch.tensor([[0.1, 0.0], [-0.4, 0.3]])
    ours = build_environments(spec).start(goals, 2, generator)
    theirs = GymnasiumNavigation(spec).start(goals, 2, generator)
    alive = torch.ones(2, 2, dtype=torch.bool)
    ended = []
    for step in range(12):
        actions = 0.2 * torch.randn(2, 2, 2, generator=generator)
        if step == 0:
            actions[0, 0] = torch.tensor([0.3, 0.001])  # clipped, and there
        one, other = ours.step(actions), theirs.step(actions)
        torch.testing.assert_close(other.rewards[alive], one.rewards[alive])
        assert torch.equal(other.terminated[alive], one.terminated[alive])
        alive &= ~one.terminated
        torch.testing.assert_close(other.observations[alive], one.observations[alive])
        ended.append(int((~alive).sum()))
    assert ended[0] == 1
