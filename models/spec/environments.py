"""Environment families: the distributions over tasks that a policy is meta-trained on.

`n_trajectories` is how many a task is adapted from (R), `horizon` how many steps one takes at most (L).
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.spec.spaces import ActionSpace, BoxSpace, DiscreteSpace

TrajectoryCount = Annotated[int, Meta(ge=1, le=1000)]
Horizon = Annotated[int, Meta(ge=1, le=2000)]


class NavigationSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="family",
    tag="navigation",
):
    """A point in the plane walks from (0, 0) to a goal it is not told, uniform on [-0.5, 0.5]² (Finn et al. 2017).

    Steps are clipped to ±0.1, the reward is minus the distance to the goal after the step, and a trajectory ends
    within 0.01 of the goal in both coordinates.
    """

    n_trajectories: TrajectoryCount = 20
    horizon: Horizon = 100


class BanditSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="bandit"
):
    """Bernoulli bandits whose `arms` pay with probabilities uniform on [0, 1] (Duan et al. 2016)."""

    arms: Annotated[int, Meta(ge=2, le=1000)] = 5
    n_trajectories: TrajectoryCount = 20
    horizon: Horizon = 10


class TabularMdpSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="family",
    tag="tabular_mdp",
):
    """Random tabular MDPs (Duan et al. 2016): transitions Dirichlet(1), mean rewards N(1, 1) with unit noise.

    A trajectory starts in state 0; observations are one-hot.
    """

    states: Annotated[int, Meta(ge=1, le=1000)] = 10
    actions: Annotated[int, Meta(ge=2, le=1000)] = 5
    n_trajectories: TrajectoryCount = 20
    horizon: Horizon = 10


class CheetahSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="cheetah"
):
    """MuJoCo's half cheetah (needs the extra `rl`), timestep 0.01 and no frame skip (Finn et al. 2017).

    `goal` `velocity`: run at a speed uniform on [0, 2]; `direction`: run forwards or backwards.
    """

    goal: Literal["velocity", "direction"]
    n_trajectories: TrajectoryCount = 20
    horizon: Horizon = 200


class SeasonsSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="seasons"
):
    """Harvest or sow, by the cue that is seen: half of the tasks pay at once, the other half mostly later.

    Which action does what is drawn for each of the `cues`. `noise` scales all that is paid by chance; in the tasks
    that pay at once most of it lasts, which makes it costly to look further ahead than need be
    (`models.environments.seasons` has the numbers).
    """

    cues: Annotated[int, Meta(ge=1, le=1000)] = 4
    noise: Annotated[float, Meta(ge=0.0, le=1000.0)] = 1.0
    n_trajectories: TrajectoryCount = 4
    horizon: Horizon = 20


EnvironmentSpec = NavigationSpec | BanditSpec | TabularMdpSpec | CheetahSpec | SeasonsSpec


def observation_width(environment: EnvironmentSpec) -> int:
    """D, how many numbers are observed at each step."""
    match environment:
        case NavigationSpec():
            return 2
        case BanditSpec():
            return 1
        case TabularMdpSpec():
            return environment.states
        case CheetahSpec():
            return 20
        case SeasonsSpec():
            return environment.cues + 1


def action_space(environment: EnvironmentSpec) -> ActionSpace:
    """What a policy chooses from at each step."""
    match environment:
        case NavigationSpec():
            return BoxSpace(shape=(2,), low=-0.1, high=0.1)
        case BanditSpec():
            return DiscreteSpace(n=environment.arms)
        case TabularMdpSpec():
            return DiscreteSpace(n=environment.actions)
        case CheetahSpec():
            return BoxSpace(shape=(6,), low=-1.0, high=1.0)
        case SeasonsSpec():
            return BoxSpace(shape=(1,), low=-1.0, high=1.0)
