"""The outer loop: it learns, repeats, resumes bit for bit, and says when it diverges."""

import math

import msgspec
import pytest
import torch

from models.algorithms.maml import Maml
from models.build import build_family, build_learner
from models.episode import Episode
from models.functional import Params
from models.networks.heads import WithHead
from models.networks.mlp import Mlp
from models.spec import (
    AlgorithmSpec,
    FunctionsSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    RidgeSpec,
    SinusoidSpec,
    signature_of,
)
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import TrainingSpec
from models.training.meta_trainer import DivergedError, MetaTrainer

SHORT = TrainingSpec(iterations=12, meta_batch_size=4, meta_lr=0.01, schedule="cosine", seed=3)


def _trainer(algorithm: AlgorithmSpec | None = None, training: TrainingSpec = SHORT) -> MetaTrainer:
    tasks = SinusoidSpec(n_shot=5, n_query=5)
    spec = LearnerSpec(algorithm=algorithm or MamlSpec(), network=MlpSpec(hidden=(8,)))
    return MetaTrainer(training, build_family(tasks), build_learner(spec, signature_of(tasks)))


@pytest.mark.parametrize("algorithm", [MamlSpec(inner_steps=2), RidgeSpec(components=2)])
@pytest.mark.parametrize("stop", [0, 5])
def test_a_resumed_run_is_an_uninterrupted_one_bit_for_bit(algorithm: AlgorithmSpec, stop: int) -> None:
    whole = _trainer(algorithm)
    whole.run(12)
    first = _trainer(algorithm)
    first.run(stop)
    kept = encode_checkpoint(first.state())
    second = _trainer(algorithm)
    second.restore(decode_checkpoint(kept))
    assert second.iteration == stop
    second.run(12)
    assert encode_checkpoint(second.state()) == encode_checkpoint(whole.state())
    # The first run is untouched by what went on from its state.
    assert encode_checkpoint(first.state()) == kept


def test_one_seed_gives_one_result_however_it_is_cut() -> None:
    one, two, other = _trainer(), _trainer(), _trainer(training=msgspec.structs.replace(SHORT, seed=4))
    one.run(12)
    for _ in range(4):
        two.run(3)
    other.run(12)
    assert encode_checkpoint(one.state()) == encode_checkpoint(two.state())
    assert encode_checkpoint(one.state()) != encode_checkpoint(other.state())


def test_it_stops_at_the_last_iteration() -> None:
    trainer = _trainer()
    assert trainer.run(5).keys() == {"meta_loss", "loss"}
    assert not trainer.finished
    trainer.run(100)
    assert (trainer.iteration, trainer.finished) == (12, True)
    before = encode_checkpoint(trainer.state())
    assert trainer.run(1) == {}
    assert encode_checkpoint(trainer.state()) == before


def test_it_learns() -> None:
    training = TrainingSpec(iterations=150, meta_batch_size=8, meta_lr=0.01, schedule="cosine")
    trainer = _trainer(RidgeSpec(), training)
    first = trainer.run(10)
    trainer.run(130)
    last = trainer.run(10)
    assert last["meta_loss"] < first["meta_loss"] - 0.2


def test_meta_params_are_a_copy() -> None:
    trainer = _trainer()
    taken = trainer.meta_params
    before = {name: value.clone() for name, value in taken.items()}
    trainer.run(1)
    assert all(torch.equal(taken[name], before[name]) for name in before)
    assert not any(value.requires_grad for value in taken.values())


def test_a_loss_that_is_not_finite_ends_it_with_the_iteration() -> None:
    spec = LearnerSpec(algorithm=MamlSpec(inner_lr=10.0, inner_steps=40), network=MlpSpec(hidden=(8,)))
    tasks = FunctionsSpec()
    learner = build_learner(spec, signature_of(tasks))
    trainer = MetaTrainer(SHORT, build_family(tasks), learner)
    with pytest.raises(DivergedError, match=r"not finite at iteration 1: .* smaller inner_lr") as caught:
        trainer.run(3)
    assert caught.value.iteration == 1


class Cliff(Maml):
    """A loss that is finite and whose gradient is not."""

    def meta_loss(
        self, meta_params: Params, episode: Episode
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = (meta_params["head.bias"] - meta_params["head.bias"].detach()).abs().sqrt().sum()
        return loss + 0 * super().meta_loss(meta_params, episode)[0], {}


def test_parameters_that_are_not_finite_end_it_too() -> None:
    learner = Cliff(MamlSpec(), "regression", WithHead(Mlp(1, (4,)), 1))
    trainer = MetaTrainer(SHORT, build_family(SinusoidSpec()), learner)
    with pytest.raises(DivergedError, match="at iteration 1"):
        trainer.run(1)


def test_the_rate_follows_the_schedule() -> None:
    def first_move(schedule: str, skip: int) -> float:
        trainer = _trainer(training=msgspec.structs.replace(SHORT, schedule=schedule))
        trainer.run(skip)
        before = trainer.meta_params["head.bias"]
        trainer.run(1)
        return (trainer.meta_params["head.bias"] - before).abs().item()

    # Adam's first step is the rate itself, whatever the gradient.
    assert math.isclose(first_move("constant", 0), 0.01, rel_tol=1e-3)
    assert math.isclose(first_move("cosine", 0), 0.01, rel_tol=1e-3)
    assert first_move("cosine", 11) < 0.0005


def test_a_checkpoint_of_another_learner_is_refused() -> None:
    state = _trainer(RidgeSpec()).state()
    with pytest.raises(ValueError, match="not one of this learner"):
        _trainer(MamlSpec()).restore(state)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"{}" * 40])
def test_bytes_that_are_no_checkpoint_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a checkpoint"):
        decode_checkpoint(data)
