"""Adapting a policy: it improves, pads, batches, reweighs, and its meta-gradient goes through the step."""

import msgspec
import pytest
import torch
from torch import Tensor

from models.algorithms.advantages import signal_of
from models.algorithms.maml_policy import RATIO_LIMIT, MamlPolicy
from models.build import build_policy_learner
from models.functional import Params
from models.spec import (
    ActionSpace,
    BoxSpace,
    DiscreteSpace,
    LearnerSpec,
    MamlPolicySpec,
    MlpSpec,
    Signature,
    SurrogateName,
)
from models.trajectory import Trajectories, returns
from tests.unit.models.algorithms.finite_differences import finite_differences, relative_difference

BOX = BoxSpace(shape=(2,), low=-0.1, high=0.1)
ARMS = DiscreteSpace(n=3)
SPACES: tuple[ActionSpace, ...] = (BOX, ARMS)


def learner(space: ActionSpace = BOX, **options: object) -> MamlPolicy:
    algorithm = msgspec.convert({"name": "maml_policy", **options}, MamlPolicySpec)
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(8,), activation="tanh"))
    return build_policy_learner(spec, Signature.of_policy(2, space))


def start(of: MamlPolicy) -> dict[str, Tensor]:
    return of.init(torch.Generator().manual_seed(0))


def trajectories(
    of: MamlPolicy, params: Params, count: int = 6, steps: int = 5, seed: int = 1
) -> Trajectories:
    """Sampled by the policy, of lengths from 1 to `steps`; large first columns or low indices are rewarded."""
    generator = torch.Generator().manual_seed(seed)
    seen = torch.randn(count, steps, 2, generator=generator)
    distribution = of.policy.distribution(params, seen)
    actions = of.policy.sample(distribution, of.policy.noise((count, steps), generator))
    lengths = torch.randint(1, steps + 1, (count, 1), generator=generator)
    mask = (torch.arange(steps) < lengths).float()
    good = actions[..., 0] if actions.is_floating_point() else -actions.float()
    log_probs = of.policy.log_prob(distribution, actions) * mask
    return Trajectories(seen, actions, good * mask, mask, torch.zeros(count), log_probs, torch.ones(count))


@pytest.mark.parametrize("space", SPACES)
def test_a_step_makes_rewarded_actions_likelier(space: ActionSpace) -> None:
    of = learner(space, inner_steps=3, inner_lr=0.5)
    params = start(of)
    given = trajectories(of, params, count=40)
    after = of.adapt(params, given)
    signal = signal_of(given, 0.99, 1.0)
    moved = ((of.log_probs(after, given) - of.log_probs(params, given)) * signal.advantages).sum()
    assert moved > 0
    assert of.support_loss(params, after, given) < of.support_loss(params, params, given)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("surrogate", ["lvc", "dice", "loaded_dice", "first_order", "naive"])
def test_padding_and_batch_mates_change_nothing(space: ActionSpace, surrogate: SurrogateName) -> None:
    of = learner(space, surrogate=surrogate)
    params = start(of)
    two = [trajectories(of, params, seed=seed) for seed in (1, 2)]
    alone = [of.adapt(params, one) for one in two]

    def longer(one: Trajectories) -> Trajectories:
        """Three more steps and one more trajectory, all of them padding."""
        value: dict[str, Tensor] = {}
        for name, tensor in one._asdict().items():
            more = [0, 0] * (tensor.dim() - 2) + ([0, 3] if tensor.dim() > 1 else []) + [0, 1]
            value[name] = torch.nn.functional.pad(tensor, more)
        return Trajectories(**value)

    stacked = Trajectories(*(torch.stack(pair) for pair in zip(*map(longer, two), strict=True)))
    together = torch.vmap(lambda one: of.adapt(params, one))(stacked)
    for place, adapted in enumerate(alone):
        for name, value in adapted.items():
            torch.testing.assert_close(together[name][place], value, rtol=1e-4, atol=1e-5)


def test_no_trajectories_leave_the_policy_as_it_is() -> None:
    empty = torch.zeros(0, 1)
    for space, actions in ((BOX, torch.zeros(0, 1, 2)), (ARMS, empty.long())):
        of = learner(space)
        params = start(of)
        none = Trajectories(torch.zeros(0, 1, 2), actions, empty, empty, empty[:, 0], empty, empty[:, 0])
        after = of.adapt(params, none)
        assert all(torch.equal(after[name], params[name]) for name in params)


def test_unknown_log_probs_count_as_those_of_the_policy_before() -> None:
    of = learner(inner_steps=2)
    params = start(of)
    given = trajectories(of, params)
    unknown = given._replace(log_probs=torch.zeros_like(given.log_probs), known=torch.zeros(6))
    told, untold = of.adapt(params, given), of.adapt(params, unknown)
    for name in params:
        torch.testing.assert_close(told[name], untold[name])


def test_actions_that_became_likelier_weigh_more_up_to_a_limit() -> None:
    of = learner()
    params = start(of)
    given = trajectories(of, params)
    signal = signal_of(given, 0.99, 1.0)
    plain = of.inner_loss(params, given, signal)
    twice = given._replace(log_probs=(given.log_probs - 2.0**0.5) * given.mask)
    far = given._replace(log_probs=(given.log_probs - 50.0) * given.mask)
    torch.testing.assert_close(of.inner_loss(params, twice, signal), plain * torch.tensor(2.0**0.5).exp())
    torch.testing.assert_close(of.inner_loss(params, far, signal), plain * RATIO_LIMIT)
    assert of.clipped_share(params, given) == 0
    assert of.clipped_share(params, twice) == 0
    assert of.clipped_share(params, far) == 1
    assert of.clipped_share(params, far._replace(known=torch.zeros(6))) == 0


def test_first_order_has_no_derivative_of_the_step_and_the_others_have() -> None:
    def slope(surrogate: SurrogateName) -> Tensor:
        of = learner(surrogate=surrogate)
        params = start(of)
        given = trajectories(of, params)

        def moved(bias: Tensor) -> Tensor:
            return of.adapt({**params, "head.bias": bias}, given)["head.bias"].sum()

        return torch.func.grad(moved)(params["head.bias"])

    assert torch.equal(slope("first_order"), torch.ones(2))
    # `naive` has none here: the Hessian of a Gaussian's log-density in its mean is the same for all actions, and
    # advantages have mean 0.
    for surrogate in ("lvc", "dice", "loaded_dice"):
        assert (slope(surrogate) - 1).abs().max() > 1e-3


def test_the_meta_gradient_is_that_of_finite_differences() -> None:
    """For `lvc` on given log-probabilities: the ratio to them is a function of the parameters."""
    of = learner(inner_lr=0.3, inner_steps=2)
    given = trajectories(of, start(of))
    given = Trajectories(*(value.double() if value.is_floating_point() else value for value in given))
    params = {name: value.double() for name, value in start(of).items()}

    def outcome(bias: Tensor) -> Tensor:
        after = of.adapt({**params, "backbone.0.bias": bias}, given)
        return torch.stack([value.square().sum() for value in after.values()]).sum()

    at, nudge = params["backbone.0.bias"], 1e-5 * torch.eye(8, dtype=torch.float64)
    by_hand = torch.stack([(outcome(at + one) - outcome(at - one)) / 2e-5 for one in nudge])
    torch.testing.assert_close(torch.func.grad(outcome)(at), by_hand, rtol=1e-6, atol=1e-7)


def test_later_steps_have_their_own_rate() -> None:
    of = learner(inner_lr=0.2, inner_steps=2)
    assert of.spec.rates(3) == (0.2, 0.1, 0.1)
    assert of.spec.rates(2, later=True) == (0.1, 0.1)
    assert msgspec.structs.replace(of.spec, later_lr=0.05).rates(2) == (0.2, 0.05)
    one = learner(inner_lr=0.2)
    params = start(one)
    given = trajectories(one, params)
    first, on = one.adapt(params, given), one.adapt(params, given, params)
    for name in params:
        torch.testing.assert_close(on[name] - params[name], (first[name] - params[name]) / 2)


def test_predictions_say_what_actions_are_drawn_from() -> None:
    of = learner()
    params = start(of)
    found = of.predict(params, params, torch.zeros(4, 2))
    assert (found["mean"].shape, found["std"].shape) == ((4, 2), (4, 2))
    torch.testing.assert_close(found["std"], torch.full((4, 2), 0.1))
    arms = learner(ARMS)
    chances = arms.predict(start(arms), start(arms), torch.zeros(4, 2))["probabilities"]
    torch.testing.assert_close(chances.sum(-1), torch.ones(4))


def test_returns_leave_padding_out() -> None:
    of = learner()
    given = trajectories(of, start(of))
    junk = given._replace(rewards=given.rewards + 5 * (1 - given.mask))
    assert torch.equal(returns(junk), returns(given))


def test_learned_rates_are_multiples_for_each_number_and_no_part_of_what_is_adapted() -> None:
    plain, of = learner(inner_steps=2), learner(inner_steps=2, learned_rates="per_parameter")
    params = start(of)
    own = {name: value for name, value in params.items() if not name.startswith("rates.")}
    given = trajectories(of, params)
    at_first = of.adapt(params, given)
    assert at_first.keys() == own.keys()
    torch.testing.assert_close(at_first, plain.adapt(own, given))
    torch.testing.assert_close(of.adapt(params, given, at_first), plain.adapt(own, given, at_first))
    still = {**params, "rates.log_std": torch.zeros(2)}
    torch.testing.assert_close(of.adapt(still, given)["log_std"], own["log_std"])


def test_the_meta_gradient_of_learned_rates_is_that_of_finite_differences() -> None:
    of = learner(inner_lr=0.3, inner_steps=2, learned_rates="per_parameter")
    given = trajectories(of, start(of))
    given = Trajectories(*(value.double() if value.is_floating_point() else value for value in given))
    params = {name: value.double() for name, value in start(of).items()}

    def outcome(meta: Params) -> Tensor:
        return of.support_loss(meta, of.adapt(meta, given), given)

    ours = torch.func.grad(outcome)(params)
    rates = {name: value for name, value in params.items() if name.startswith("rates.")}
    expected = finite_differences(lambda moved: outcome({**params, **moved}), rates)
    assert relative_difference({name: ours[name] for name in rates}, expected) < 1e-6
    assert all(value.abs().max() > 0 for value in expected.values())


def test_what_was_written_before_rates_were_learned_means_what_it_did() -> None:
    of = learner()
    assert of.spec.learned_rates == "none"
    assert not any(name.startswith("rates.") for name in start(of))
