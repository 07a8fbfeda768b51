"""iMAML: what holds adapted parameters to the initialisation."""

from models.spec import ImamlSpec
from tests.unit.models.algorithms.finite_differences import doubles, padded_episode, small_learner


def test_proximity_holds_adapted_parameters_to_the_initialisation() -> None:
    episode, apart = padded_episode("regression"), []
    for proximity in (0.1, 10.0):
        learner = small_learner(ImamlSpec(inner_steps=100, inner_lr=0.05, proximity=proximity), "regression")
        params = doubles(learner)
        adapted = learner.adapt(params, episode.support)
        apart.append(sum(float((value - params[name]).square().sum()) for name, value in adapted.items()))
    assert apart[1] < 0.1 * apart[0]
