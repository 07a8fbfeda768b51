"""MuJoCo's half cheetahs as a Gymnasium vector environment, as MAML was measured on them. Knows no families.

Timestep 0.01 and no frame skip; seen are qpos[1:], qvel and the body's centre of mass, 20 numbers; 0.05 times the
squared action is subtracted from the reward (Finn et al. 2017, `half_cheetah_env_rand*.py`). Gymnasium's own
cheetah skips 5 frames: figures are not comparable. Starts are those of rllab: Gaussian, 0.01 in qpos, 0.1 in qvel.

All are stepped in one call of MuJoCo's own, on torch's number of threads, bit for bit as one by one at any number.
"""

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import numpy as np
import torch

CONTROL_COST = 0.05
POSITION_NOISE, VELOCITY_NOISE = 0.01, 0.1

Array = np.ndarray[Any, Any]
Reward = Callable[[Array, Array], Array]
"""What velocities [N] earn, for tasks [N]."""


def cheetah_model() -> Any:
    """A MuJoCo model of Gymnasium's cheetah that senses the velocity [3] of the whole body's centre of mass.

    Raises ImportError where gymnasium or mujoco are not installed.
    """
    import gymnasium
    import mujoco

    file = resources.files(gymnasium) / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
    spec = mujoco.MjSpec.from_string(file.read_text())
    # MuJoCo 4 warns of masses that are scaled by its compiler; scaled afterwards, they are the same.
    mass, spec.compiler.settotalmass = spec.compiler.settotalmass, -1
    body = mujoco.mjtObj.mjOBJ_BODY
    spec.add_sensor(type=mujoco.mjtSensor.mjSENS_SUBTREELINVEL, objtype=body, objname="torso")
    model = spec.compile()
    mujoco.mj_setTotalmass(model, mass)
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def cheetahs(count: int, reward: Reward) -> Any:
    """So many of them, a `gymnasium.vector.VectorEnv`. None ever ends.

    Their attribute `task`, [1] of each, may be set at any time. The velocity is that of the whole body's centre of
    mass. Raises ImportError.
    """
    import mujoco
    from gymnasium.spaces import Box
    from gymnasium.utils.seeding import np_random
    from gymnasium.vector import VectorEnv
    from gymnasium.vector.utils import batch_space
    from mujoco.batch import Batch

    model = cheetah_model()
    torso = model.body("torso").id
    none, velocity = mujoco.mjtStage.mjSTAGE_NONE.value, mujoco.mjtStage.mjSTAGE_VEL.value

    class Cheetahs(VectorEnv[Any, Any, Any]):
        num_envs = count
        single_observation_space = Box(-np.inf, np.inf, (model.nq - 1 + model.nv + 3,), np.float64)
        single_action_space = Box(-1.0, 1.0, (model.nu,), np.float32)
        observation_space = batch_space(single_observation_space, count)
        action_space = batch_space(single_action_space, count)

        def __init__(self) -> None:
            self._tasks = np.zeros((count, 1), np.float32)
            self._batch = Batch(model, count, torch.get_num_threads())
            # Bound once: they are refreshed by every call.
            self._centres, self._velocities = self._batch.subtree_com, self._batch.sensordata

        def set_attr(self, name: str, values: Sequence[Array]) -> None:
            """The tasks, as Gymnasium's own take what each copy holds."""
            assert name == "task"
            self._tasks = np.stack(values)

        def reset(
            self, *, seed: Any = None, options: dict[str, Any] | None = None
        ) -> tuple[Array, dict[str, Any]]:
            """`seed` has one for each; None is chance."""
            batch, chances = self._batch, [np_random(one)[0] for one in seed or [None] * count]
            batch.reset(stage=none)
            for qpos, qvel, chance in zip(batch.qpos, batch.qvel, chances, strict=True):
                qpos += POSITION_NOISE * chance.standard_normal(model.nq)
                qvel += VELOCITY_NOISE * chance.standard_normal(model.nv)
            batch.forward(stage=velocity)
            return self._seen(), {}

        def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
            self._batch.ctrl = actions
            # A step leaves what follows from positions and velocities where they were before it.
            self._batch.step(stage=velocity)
            cost = CONTROL_COST * np.square(actions).sum(-1).astype(np.float64)
            rewards = reward(self._velocities[:, 0], self._tasks[:, 0]) - cost
            never = np.zeros(count, np.bool_)
            return self._seen(), rewards, never, never, {}

        def _seen(self) -> Array:
            batch = self._batch
            return np.concatenate([batch.qpos[:, 1:], batch.qvel, self._centres[:, torso]], 1)

    return Cheetahs()
