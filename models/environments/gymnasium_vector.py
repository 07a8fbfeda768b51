"""Gymnasium's vector environments as an environment of ours: the one adapter. Imports nothing of theirs.

A task is what each copy's attribute `task` is set to before its reset. Knows no particular environment.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from models.environments.environment import Environment, MissingPackagesError, Outcome
from models.spec import ActionSpace, BoxSpace

_SEEDS = 2**31 - 1


class GymnasiumVector:
    """M x R copies of one environment with a settable `task`; kept from start to start.

    A number of copies that was not asked for before makes new ones. Copies must not end a trajectory for its
    length: the horizon is the family's.
    """

    def __init__(self, make: Callable[[int], Any], actions: ActionSpace) -> None:
        """`make` gives so many copies, a `gymnasium.vector.VectorEnv` with the `set_attr` of SyncVectorEnv.

        It imports what it needs, and raises ImportError.
        """
        self._make = make
        self._actions = actions
        self._copies: Any | None = None

    def start(self, tasks: Tensor, n_trajectories: int, generator: Generator) -> Environment:
        """Copies of tasks [M, G], reset with seeds of the generator. Raises MissingPackagesError."""
        count = len(tasks) * n_trajectories
        copies = self._vector(count)
        given = tasks.repeat_interleave(n_trajectories, 0).cpu().numpy()
        copies.set_attr("task", list(given))
        seeds = torch.randint(_SEEDS, (count,), generator=generator).tolist()
        observations, _ = copies.reset(seed=seeds)
        return _Copies(copies, (len(tasks), n_trajectories), observations, self._actions, tasks.device)

    def _vector(self, count: int) -> Any:
        if self._copies is None or self._copies.num_envs != count:
            if self._copies is not None:
                self._copies.close()
            try:
                self._copies = self._make(count)
            except ImportError as error:
                raise MissingPackagesError(
                    f"the environment needs {error.name}: install the extra `rl`"
                ) from error
        return self._copies


class _Copies:
    def __init__(
        self,
        copies: Any,
        lead: tuple[int, int],
        observations: np.ndarray[Any, Any],
        actions: ActionSpace,
        device: torch.device,
    ) -> None:
        self._copies = copies
        self._lead = lead
        self._actions = actions
        self._device = device
        self.observations = self._shaped(observations)

    def step(self, actions: Tensor) -> Outcome:
        """Copies that have ended are reset by Gymnasium, and go on as others that nobody looks at."""
        flat = actions.flatten(0, 1).cpu().numpy()
        if isinstance(self._actions, BoxSpace):
            flat = np.clip(flat, self._actions.low, self._actions.high)
        observations, rewards, terminated, _, _ = self._copies.step(flat)
        self.observations = self._shaped(observations)
        ended = torch.from_numpy(terminated).reshape(self._lead).to(self._device)
        return Outcome(self.observations, self._shaped(rewards), ended)

    def _shaped(self, values: np.ndarray[Any, Any]) -> Tensor:
        flat = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(self._device)
        return flat.reshape(*self._lead, *flat.shape[1:])
