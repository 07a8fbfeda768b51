"""The same 2-D navigation written for Gymnasium, as most people would: one environment after the other.

Imports gymnasium late; knows nothing of policies.
"""

from typing import Any

import numpy as np

from models.environments.gymnasium_vector import GymnasiumVector
from models.environments.navigation import ARRIVED, REACH
from models.spec import NavigationSpec, action_space


class GymnasiumNavigation:
    """The family of navigation, its copies stepped through Gymnasium's vector API."""

    def __init__(self, spec: NavigationSpec) -> None:
        self.horizon = spec.horizon
        self._copies = GymnasiumVector(_points, action_space(spec))
        self.start = self._copies.start


def _points(count: int) -> Any:
    from gymnasium.vector import SyncVectorEnv

    return SyncVectorEnv([_point] * count)


def _point() -> Any:
    from gymnasium import Env
    from gymnasium.spaces import Box

    class Point(Env[Any, Any]):
        observation_space = Box(-np.inf, np.inf, (2,), np.float32)
        action_space = Box(-REACH, REACH, (2,), np.float32)

        def __init__(self) -> None:
            self.task = np.zeros(2, np.float32)
            self._place = np.zeros(2, np.float32)

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            super().reset(seed=seed)
            self._place = np.zeros(2, np.float32)
            return self._place, {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            self._place = self._place + action
            apart = self._place - self.task
            arrived = bool((np.abs(apart) < ARRIVED).all())
            return self._place, -float(np.linalg.norm(apart)), arrived, False, {}

    return Point()
