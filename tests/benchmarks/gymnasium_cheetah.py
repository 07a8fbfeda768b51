"""The same half cheetahs written for Gymnasium, as most people would: one environment after the other.

Imports gymnasium and mujoco late; knows nothing of policies.
"""

from importlib import resources
from typing import Any

import numpy as np

from models.environments.cheetah import CONTROL_COST, POSITION_NOISE, VELOCITY_NOISE, Reward
from models.environments.gymnasium_vector import GymnasiumVector
from models.environments.half_cheetah import REWARDS
from models.spec import CheetahSpec, action_space


class GymnasiumCheetah:
    """The family of cheetahs, its copies stepped one by one through Gymnasium's vector API."""

    def __init__(self, spec: CheetahSpec) -> None:
        self.horizon = spec.horizon
        self._copies = GymnasiumVector(
            lambda count: one_by_one(count, REWARDS[spec.goal]), action_space(spec)
        )
        self.start = self._copies.start


def one_by_one(count: int, reward: Reward) -> Any:
    """So many cheetahs that share one model and have each their own data."""
    import gymnasium
    import mujoco
    from gymnasium.vector import SyncVectorEnv

    file = resources.files(gymnasium) / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
    model = mujoco.MjModel.from_xml_string(file.read_text())
    return SyncVectorEnv([lambda: _cheetah(model, reward)] * count)


def _cheetah(model: Any, reward: Reward) -> Any:
    import mujoco
    from gymnasium import Env
    from gymnasium.spaces import Box

    class Cheetah(Env[Any, Any]):
        observation_space = Box(-np.inf, np.inf, (20,), np.float64)
        action_space = Box(-1.0, 1.0, (model.nu,), np.float32)

        def __init__(self) -> None:
            self.task = np.zeros(1, np.float32)
            self._data = mujoco.MjData(model)
            self._torso = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "torso")

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[Any, dict[str, Any]]:
            super().reset(seed=seed)
            data, chance = self._data, self.np_random
            mujoco.mj_resetData(model, data)
            data.qpos += POSITION_NOISE * chance.standard_normal(model.nq)
            data.qvel += VELOCITY_NOISE * chance.standard_normal(model.nv)
            mujoco.mj_forward(model, data)
            return self._seen(), {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            data = self._data
            data.ctrl[:] = action
            mujoco.mj_step(model, data)
            # A step leaves what follows from positions and velocities where they were before it.
            mujoco.mj_forward(model, data)
            mujoco.mj_subtreeVel(model, data)
            velocities = data.subtree_linvel[self._torso][0]
            cost = CONTROL_COST * float(np.square(action).sum())
            earned = float(reward(velocities, np.float64(self.task[0])))
            return self._seen(), earned - cost, False, False, {}

        def _seen(self) -> Any:
            data = self._data
            return np.concatenate([data.qpos[1:], data.qvel, data.subtree_com[self._torso]])

    return Cheetah()
