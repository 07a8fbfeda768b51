"""One agent's life on tasks whose best discount changes: the adapted run against every fixed discount of a grid.

Seasons take turns, and the aims change more often; nobody tells the agent. All lives of a kind are one tensor
program. Every contender, the adapted one as well, has the best of the same inner rates, chosen on other seeds.
"""

import statistics
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from models.build import build_environments, build_policy_learner
from models.environments.seasons import SUMMER, WINTER
from models.spec import LearnerSpec, LifetimeSpec, MamlPolicySpec, MlpSpec, SeasonsSpec, signature_of
from models.training.config import TrainingSpec
from models.training.outer_step import Layout, adam_rates
from models.training.policies.collect import collect
from models.training.policies.lifetime import Lifetime
from models.trajectory import returns
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

DISCOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
INNER_RATES = (0.05, 0.1)
FIRST_DISCOUNT = 0.9
SEEDS = 10
TUNING_SEEDS = 3
SEASON = 150
"""Iterations of each; of aims, `task_iterations`."""
SEASONS = 4

TASKS = SeasonsSpec(n_trajectories=10, horizon=20)
LEARNER = LearnerSpec(
    algorithm=MamlPolicySpec(initial_std=0.4, min_std=0.4), network=MlpSpec(hidden=(32,), activation="tanh")
)
ADAPTED = LifetimeSpec(adapt=("discount",), trace_decay=0.5, task_iterations=30)
FIXED = LifetimeSpec(adapt=(), task_iterations=ADAPTED.task_iterations)
TRAINING = TrainingSpec(iterations=SEASONS * SEASON, meta_batch_size=1, meta_lr=0.2)


class Lived(NamedTuple):
    """What became of lives [K kinds, N seeds] in I iterations."""

    returns: Tensor  # [I, K, N]
    discounts: Tensor  # [I, K, N]
    seasons: Tensor  # int64 [I, N]


def measure(options: Options) -> Report:
    return report(*(lives_of(name, options.seed) for name in ("fixed", "adapted")), options.seed)


def lives_of(name: str, seed: int) -> Lived:
    """All of one contender, at every inner rate: the seeds that are told, then those that choose the rate."""
    say(f"lives: {name}")
    spec, discounts = (FIXED, DISCOUNTS) if name == "fixed" else (ADAPTED, (FIRST_DISCOUNT,))
    kinds = [(discount, rate) for discount in discounts for rate in INNER_RATES]
    return live(spec, kinds, range(seed, seed + SEEDS + TUNING_SEEDS))


def report(every_fixed: Lived, every_adapted: Lived, seed: int) -> Report:
    fixed, fixed_rates = _best(every_fixed)
    adapted, own_rate = _best(every_adapted)
    pairs = list(zip(DISCOUNTS, fixed_rates, strict=True))
    each, ours = fixed.returns.mean(0), adapted.returns.mean(0)[0]
    figures = [
        Figure(
            what=f"adapted beyond the fixed discount {discount:g}",
            value=(ours - theirs).mean().item(),
            at_least=0.0,
            beside=_told(ours, theirs, rate),
        )
        for (discount, rate), theirs in zip(pairs, each, strict=True)
    ]
    figures.insert(
        0,
        Figure(
            what="adapted, mean return over a life",
            value=ours.mean().item(),
            beside=f"sd {ours.std():.2f} over {SEEDS} seeds; inner rate {own_rate[0]:g}",
        ),
    )
    figures += [
        Figure(
            what=f"adapted discount in {name}, second half of the season",
            value=_late(adapted.discounts[:, 0], adapted.seasons, season),
        )
        for name, season in (("winter", WINTER), ("summer", SUMMER))
    ]
    return Report(
        suite="lifetime",
        title="A discount that follows the meta-gradient through one life",
        how=(
            f"`SeasonsSpec` (`models/environments/seasons.py`): in winter all is paid at once amid much noise, in "
            f"summer most of it later. A season is {SEASON} iterations, aims are drawn anew every "
            f"{ADAPTED.task_iterations}, an iteration is {TASKS.n_trajectories} trajectories. Mean undiscounted "
            f"return of all trajectories of a life, {SEEDS} seeds; differences are paired by seed. Each contender "
            f"has the best of the inner rates {', '.join(f'{rate:g}' for rate in INNER_RATES)} on {TUNING_SEEDS} "
            f"other seeds. The adapted discount begins at {FIRST_DISCOUNT:g}; "
            f"trace decay {ADAPTED.trace_decay:g}, meta rate {TRAINING.meta_lr:g}."
        ),
        seed=seed,
        scale={"iterations": TRAINING.iterations, "seeds": SEEDS, "threads": torch.get_num_threads()},
        figures=figures,
        series=_series(pairs, each, ours, adapted, fixed),
    )


def live(spec: LifetimeSpec, kinds: list[tuple[float, float]], seeds: range) -> Lived:
    """Lives of each kind (a first discount and an inner rate) from each seed, side by side.

    A seed's lives, of whatever kind, begin with one policy and meet the same tasks.
    """
    learner, family = build_policy_learner(LEARNER, signature_of(TASKS)), build_environments(TASKS)
    first = [learner.init(Generator().manual_seed(seed)) for seed in seeds]
    layout = Layout(first[0])
    lifetime = Lifetime(learner, spec, layout, TRAINING.clip_norm)
    shape = (len(kinds), len(seeds))
    params_MP = torch.stack([layout.pack(one) for one in first]).repeat(len(kinds), 1)
    initial_M3 = torch.tensor([[discount, 1.0, rate] for discount, rate in kinds for _ in seeds])
    lives = torch.vmap(lifetime.born)(params_MP, initial_M3)
    live_all = torch.vmap(lifetime.live, in_dims=(0, 0, 0, None))
    fates = [Generator().manual_seed(seed) for seed in seeds]
    acting = Generator().manual_seed(seeds[0])
    earned, discounts, seasons = [], [], []
    for iteration in range(TRAINING.iterations):
        if iteration % spec.task_iterations == 0:
            drawn_NG = torch.cat([family.sample(fate, 1) for fate in fates])
            drawn_NG[:, 0] = iteration // SEASON % 2
        policies = torch.vmap(layout.unpack)(lives.params)
        tasks = drawn_NG.repeat(len(kinds), 1)
        seen = collect(learner.policy, policies, family, tasks, TASKS.n_trajectories, acting)
        lives = live_all(lives, initial_M3, seen, adam_rates(TRAINING, iteration, 1)[0])
        settings = torch.vmap(lifetime.settings)(lives.free.params, initial_M3)
        earned.append(returns(seen).mean(-1).view(shape))
        discounts.append(settings[:, 0].view(shape))
        seasons.append(drawn_NG[:, 0].long())
    return Lived(torch.stack(earned), torch.stack(discounts), torch.stack(seasons))


def _best(lived: Lived) -> tuple[Lived, list[float]]:
    """Of each discount the lives at the inner rate that is best on the last seeds, those seeds left out."""
    rates = len(INNER_RATES)
    returns_IDRN, discounts_IDRN = (
        values.unflatten(1, (-1, rates)) for values in (lived.returns, lived.discounts)
    )
    best = returns_IDRN[..., SEEDS:].mean((0, 3)).argmax(1)
    chosen = range(len(best)), best
    return Lived(
        returns_IDRN[:, *chosen, :SEEDS], discounts_IDRN[:, *chosen, :SEEDS], lived.seasons[:, :SEEDS]
    ), [INNER_RATES[place] for place in best.tolist()]


def _told(ours: Tensor, theirs: Tensor, rate: float) -> str:
    apart = ours - theirs
    return (
        f"theirs {theirs.mean():.2f}, sd {theirs.std():.2f}, inner rate {rate:g}; difference "
        f"{apart.min():.2f} to {apart.max():.2f}, standard error {apart.std() / len(apart) ** 0.5:.2f}, "
        f"ahead in {int((apart > 0).sum())} of {len(apart)}"
    )


def _late(discounts_IN: Tensor, seasons_IN: Tensor, season: int) -> float:
    """The mean discount in the later half of a season."""
    late = (torch.arange(len(discounts_IN)) % SEASON >= SEASON // 2).unsqueeze(1)
    return discounts_IN[late & (seasons_IN == season)].mean().item()


def _series(
    pairs: list[tuple[float, float]], each: Tensor, ours: Tensor, adapted: Lived, fixed: Lived
) -> dict[str, Any]:
    """Every tenth iteration of the discounts; returns of every life; the means by season."""

    def by_season(lived: Lived, kind: int) -> list[float]:
        return [lived.returns[:, kind][lived.seasons == season].mean().item() for season in (WINTER, SUMMER)]

    return {
        "discounts": adapted.discounts[::10, 0].T.tolist(),
        "seasons": adapted.seasons[::10].T.tolist(),
        "every": 10,
        "adapted": {"returns": ours.tolist(), "by_season": by_season(adapted, 0)},
        "fixed": [
            {"discount": pair[0], "inner_lr": pair[1], "returns": each[kind].tolist()}
            | {"by_season": by_season(fixed, kind)}
            for kind, pair in enumerate(pairs)
        ],
        "best_fixed": max(statistics.mean(one.tolist()) for one in each),
    }
