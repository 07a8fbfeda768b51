"""One agent's life on tasks whose best discount changes: the adapted run against every fixed discount of a grid.

Seasons take turns, and the aims change more often; nobody tells the agent. All lives of a kind are one tensor
program. Every contender, the adapted one as well, has the best of the same inner rates, chosen on other seeds.
"""

from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from models.build import build_environments, build_policy_learner
from models.environments.seasons import SUMMER, WINTER
from models.spec import LearnerSpec, LifetimeSpec, MamlPolicySpec, MlpSpec, SeasonsSpec, signature_of
from models.training.config import TrainingSpec
from models.training.outer_step import Layout, outer_rates
from models.training.policies.collect import collect
from models.training.policies.lifetime import SETTINGS, Lifetime
from models.trajectory import returns
from tests.benchmarks.figures import Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

DISCOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
INNER_RATES = (0.1, 0.2)
FAR = (0.8, 0.9, 0.95, 0.99)
FIRST_DISCOUNT = 0.9
CRITIC, MONTE_CARLO = 0.0, 1.0
"""Lambdas: one step and the critic's value after it, or the whole return."""
SEEDS = 10
TUNING_SEEDS = 3
SEASON = 200
"""Iterations of each; of aims, `task_iterations`."""
SEASONS = 4

TASKS = SeasonsSpec(n_trajectories=20, horizon=40)
LEARNER = LearnerSpec(
    algorithm=MamlPolicySpec(initial_std=0.3, min_std=0.3), network=MlpSpec(hidden=(32,), activation="tanh")
)
ADAPTED = LifetimeSpec(adapt=("discount",), reference_discount=0.97, task_iterations=25)
FIXED = LifetimeSpec(adapt=(), task_iterations=ADAPTED.task_iterations)
ALL = LifetimeSpec(adapt=SETTINGS, reference_discount=0.97, task_iterations=ADAPTED.task_iterations)
TRAINING = TrainingSpec(iterations=SEASONS * SEASON, meta_batch_size=1, meta_lr=0.4)


class Kind(NamedTuple):
    """The settings that a life begins with."""

    discount: float
    gae_lambda: float
    inner_lr: float


class Lived(NamedTuple):
    """What became of lives [K kinds, N seeds] in I iterations."""

    returns: Tensor  # [I, K, N]
    settings: Tensor  # [I, K, N, H], in the order of SETTINGS
    seasons: Tensor  # int64 [I, N]


class Contenders(NamedTuple):
    """Every life of each: fixed by discount, under one lambda or the other; adapted the discount alone, or all."""

    critic: Lived
    monte_carlo: Lived
    adapted: Lived
    adapted_all: Lived


CONTENDERS = {
    "critic": (FIXED, DISCOUNTS, CRITIC),
    "monte_carlo": (FIXED, FAR, MONTE_CARLO),
    "adapted": (ADAPTED, (FIRST_DISCOUNT,), CRITIC),
    "adapted_all": (ALL, (FIRST_DISCOUNT,), CRITIC),
}


def measure(options: Options) -> Report:
    return report(Contenders(**{name: lives_of(name, options.seed) for name in CONTENDERS}), options.seed)


def lives_of(name: str, seed: int) -> Lived:
    """All of one contender, at every inner rate: the seeds that are told, then those that choose the rate."""
    say(f"lives: {name}")
    spec, discounts, gae_lambda = CONTENDERS[name]
    kinds = [Kind(discount, gae_lambda, rate) for discount in discounts for rate in INNER_RATES]
    return live(spec, kinds, range(seed, seed + SEEDS + TUNING_SEEDS))


def report(every: Contenders, seed: int) -> Report:
    (fixed, fixed_rates), (summed, summed_rates), (adapted, own_rate), (free, free_rate) = map(_best, every)
    ours, each = adapted.returns.mean(0)[0], fixed.returns.mean(0)
    figures = [
        Figure(
            what="adapted discount, mean return over a life",
            value=ours.mean().item(),
            beside=f"sd {ours.std():.2f} over {SEEDS} seeds; inner rate {own_rate[0]:g}",
        ),
        *(
            Figure(
                what=f"adapted beyond the fixed discount {discount:g}",
                value=(ours - theirs).mean().item(),
                at_least=0.0,
                beside=_told(ours, theirs, rate),
            )
            for discount, rate, theirs in zip(DISCOUNTS, fixed_rates, each, strict=True)
        ),
        Figure(
            what="the best fixed discount of each season, told when it begins: mean return",
            value=_season_by_season(fixed),
            beside=f"the best of one for all seasons {each.mean(1).max():.2f}",
        ),
    ]
    best = int(summed.returns.mean((0, 2)).argmax())
    theirs = summed.returns.mean(0)[best]
    figures.append(
        Figure(
            what=f"adapted beyond the best fixed discount of whole returns (lambda 1), {FAR[best]:g}",
            value=(ours - theirs).mean().item(),
            beside=_told(ours, theirs, summed_rates[best]),
        )
    )
    everything, best_fixed = free.returns.mean(0)[0], each[int(each.mean(1).argmax())]
    figures.append(
        Figure(
            what="discount, lambda and inner rate adapted, beyond the best fixed discount",
            value=(everything - best_fixed).mean().item(),
            beside=f"mean return {everything.mean():.2f}, first inner rate {free_rate[0]:g}",
        )
    )
    figures += [
        Figure(
            what=f"adapted {SETTINGS[place].replace('_', ' ')} in {name}, second half of the season{told}",
            value=_late(lived.settings[:, 0, :, place], lived.seasons, season),
        )
        for lived, places, told in ((adapted, (0,), ""), (free, (0, 1, 2), ", where all are"))
        for place in places
        for name, season in (("winter", WINTER), ("summer", SUMMER))
    ]
    return Report(
        suite="lifetime",
        title="A discount that follows the meta-gradient through one life",
        how=(
            "`SeasonsSpec` (`models/environments/seasons.py`): in winter all is paid at once, and what a full "
            "field promises a critic is the weather's; in summer most is paid later. A season is "
            f"{SEASON} iterations, aims are drawn anew every {ADAPTED.task_iterations}, an iteration is "
            f"{TASKS.n_trajectories} trajectories. Mean undiscounted return of all trajectories of a life, {SEEDS} "
            "seeds; differences are paired by seed. Advantages are of one step and the critic (lambda 0) except "
            "where it is said otherwise. Each contender has the best of the inner rates "
            f"{', '.join(f'{rate:g}' for rate in INNER_RATES)} on {TUNING_SEEDS} other seeds. The adapted discount "
            f"begins at {FIRST_DISCOUNT:g}; meta rate {TRAINING.meta_lr:g}, trace decay {ADAPTED.trace_decay:g}, "
            f"reference discount {ADAPTED.reference_discount:g}."
        ),
        seed=seed,
        scale={"iterations": TRAINING.iterations, "seeds": SEEDS, "threads": torch.get_num_threads()},
        figures=figures,
        series=_series(fixed_rates, each, ours, adapted, fixed),
    )


def live(spec: LifetimeSpec, kinds: list[Kind], seeds: range) -> Lived:
    """Lives of each kind from each seed, side by side.

    A seed's lives, of whatever kind, begin with one policy and meet the same tasks.
    """
    learner, family = build_policy_learner(LEARNER, signature_of(TASKS)), build_environments(TASKS)
    first = [learner.init(Generator().manual_seed(seed)) for seed in seeds]
    layout = Layout(first[0])
    lifetime = Lifetime(learner, spec, layout, TRAINING.clip_norm)
    shape = (len(kinds), len(seeds))
    params_MP = torch.stack([layout.pack(one) for one in first]).repeat(len(kinds), 1)
    initial_M3 = torch.tensor([kind for kind in kinds for _ in seeds])
    lives = torch.vmap(lifetime.born)(params_MP, initial_M3)
    live_all = torch.vmap(lifetime.live, in_dims=(0, 0, 0, None))
    fates = [Generator().manual_seed(seed) for seed in seeds]
    acting = Generator().manual_seed(seeds[0])
    earned, followed, seasons = [], [], []
    for iteration in range(TRAINING.iterations):
        if iteration % spec.task_iterations == 0:
            drawn_NG = torch.cat([family.sample(fate, 1) for fate in fates])
            drawn_NG[:, 0] = iteration // SEASON % 2
        policies = torch.vmap(layout.unpack)(lives.params)
        tasks = drawn_NG.repeat(len(kinds), 1)
        seen = collect(learner.policy, policies, family, tasks, TASKS.n_trajectories, acting)
        lives = live_all(lives, initial_M3, seen, outer_rates(TRAINING, iteration, 1)[0])
        earned.append(returns(seen).mean(-1).view(shape))
        followed.append(torch.vmap(lifetime.settings)(lives.free.params, initial_M3).view(*shape, -1))
        seasons.append(drawn_NG[:, 0].long())
    return Lived(torch.stack(earned), torch.stack(followed), torch.stack(seasons))


def _best(lived: Lived) -> tuple[Lived, list[float]]:
    """Of each discount the lives at the inner rate that is best on the last seeds, those seeds left out."""
    rates = len(INNER_RATES)
    returns_IDRN, settings_IDRNH = (values.unflatten(1, (-1, rates)) for values in lived[:2])
    best = returns_IDRN[..., SEEDS:].mean((0, 3)).argmax(1)
    chosen = range(len(best)), best
    return Lived(
        returns_IDRN[:, *chosen, :SEEDS], settings_IDRNH[:, *chosen, :SEEDS], lived.seasons[:, :SEEDS]
    ), [INNER_RATES[place] for place in best.tolist()]


def _told(ours: Tensor, theirs: Tensor, rate: float) -> str:
    apart = ours - theirs
    return (
        f"theirs {theirs.mean():.2f}, sd {theirs.std():.2f}, inner rate {rate:g}; difference "
        f"{apart.min():.2f} to {apart.max():.2f}, standard error {apart.std() / len(apart) ** 0.5:.2f}, "
        f"ahead in {int((apart > 0).sum())} of {len(apart)}"
    )


def _by_season(lived: Lived, kind: int) -> list[float]:
    return [lived.returns[:, kind][lived.seasons == season].mean().item() for season in (WINTER, SUMMER)]


def _season_by_season(fixed: Lived) -> float:
    """The mean over seasons, which are as long, of the best that one discount reaches in it."""
    found = torch.tensor([_by_season(fixed, kind) for kind in range(fixed.returns.shape[1])])
    return found.amax(0).mean().item()


def _late(values_IN: Tensor, seasons_IN: Tensor, season: int) -> float:
    """The mean of a setting in the later half of a season."""
    late = (torch.arange(len(values_IN)) % SEASON >= SEASON // 2).unsqueeze(1)
    return values_IN[late & (seasons_IN == season)].mean().item()


def _series(rates: list[float], each: Tensor, ours: Tensor, adapted: Lived, fixed: Lived) -> dict[str, Any]:
    """Every tenth iteration of the discounts; returns of every life; the means by season."""
    return {
        "discounts": adapted.settings[::10, 0, :, 0].T.tolist(),
        "seasons": adapted.seasons[::10].T.tolist(),
        "every": 10,
        "adapted": {"returns": ours.tolist(), "by_season": _by_season(adapted, 0)},
        "fixed": [
            {"discount": discount, "inner_lr": rate, "returns": theirs.tolist()}
            | {"by_season": _by_season(fixed, kind)}
            for kind, (discount, rate, theirs) in enumerate(zip(DISCOUNTS, rates, each, strict=True))
        ],
    }
