"""MuJoCo's half cheetah as a Gymnasium environment, as MAML was measured on it. Knows nothing of families.

Timestep 0.01 and no frame skip; seen are qpos[1:], qvel and the body's centre of mass, 20 numbers; 0.05 times the
squared action is subtracted from the reward (Finn et al. 2017, `half_cheetah_env_rand*.py`). Gymnasium's own
cheetah skips 5 frames: figures are not comparable. Starts are those of rllab: Gaussian, 0.01 in qpos, 0.1 in qvel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

CONTROL_COST = 0.05
_POSITION_NOISE, _VELOCITY_NOISE = 0.01, 0.1


def cheetah(model: Any, forward_reward: Callable[[float, float], float]) -> Any:
    """A cheetah on a MuJoCo model of it; `forward_reward(velocity, task)` is what its speed earns.

    Its `task` [1] may be set at any time. The velocity is that of the whole body's centre of mass.
    """
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
            data.qpos += _POSITION_NOISE * chance.standard_normal(model.nq)
            data.qvel += _VELOCITY_NOISE * chance.standard_normal(model.nv)
            mujoco.mj_forward(model, data)
            return self._seen(), {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            data = self._data
            data.ctrl[:] = action
            mujoco.mj_step(model, data)
            # A step leaves what follows from positions and velocities where they were before it.
            mujoco.mj_forward(model, data)
            mujoco.mj_subtreeVel(model, data)
            velocity = float(data.subtree_linvel[self._torso][0])
            cost = CONTROL_COST * float(np.square(action).sum())
            return self._seen(), forward_reward(velocity, float(self.task[0])) - cost, False, False, {}

        def _seen(self) -> Any:
            data = self._data
            return np.concatenate([data.qpos[1:], data.qvel, data.subtree_com[self._torso]])

    return Cheetah()
