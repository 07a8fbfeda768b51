"""Muon as torch has it, for what is a network's weight; Adam as ever for the rest."""

import math

import torch

from models.build import build_family, build_learner
from models.spec import LearnerSpec, MlpSpec, RidgeSpec, SinusoidSpec, signature_of
from models.training.config import TrainingSpec
from models.training.meta_trainer import MetaTrainer
from models.training.optimizer import update_of
from models.training.outer_step import Layout, OuterState, outer_rates

SHAPES = {
    "backbone.0.weight": (6, 3, 2, 2),
    "backbone.0.bias": (6,),
    "backbone.1.weight": (4, 9),
    "backbone.1.scale": (4, 9),
    "backbone.2.weight": (1, 5),
    "rates.backbone.1.weight": (4, 9),
    "member.1.backbone.0.weight": (3, 5),
}
MATRICES = {"backbone.0.weight", "backbone.1.weight", "member.1.backbone.0.weight"}


def test_weights_move_as_by_torchs_muon_and_the_rest_as_by_adam() -> None:
    generator = torch.Generator().manual_seed(0)
    start = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    layout = Layout(start)
    vector = layout.pack(start)
    state = OuterState(vector, torch.zeros_like(vector), torch.zeros_like(vector))
    update = update_of("muon", math.inf, layout)
    training = TrainingSpec(iterations=20, meta_lr=0.05, schedule="cosine", optimizer="muon")
    rates = outer_rates(training, 0, 20)
    theirs = {
        name: torch.nn.Parameter((value.flatten(1) if name in MATRICES else value).clone())
        for name, value in start.items()
    }
    muon = torch.optim.Muon(
        [theirs[name] for name in MATRICES], lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.Adam([theirs[name] for name in SHAPES if name not in MATRICES], lr=1.0)
    for iteration in range(20):
        gradient = torch.randn(len(vector), generator=generator)
        for name, value in layout.unpack(gradient).items():
            theirs[name].grad = value.reshape(theirs[name].shape).clone()
        for one in (muon, adam):
            one.param_groups[0]["lr"] = float(rates[iteration, 2])
            one.step()
        state = update(state, gradient, rates[iteration])
    for name, value in layout.unpack(state.params).items():
        torch.testing.assert_close(value.flatten(), theirs[name].detach().flatten(), rtol=0, atol=5e-3)
        assert (value - start[name]).abs().max() > 0.01, name


def test_a_step_does_not_depend_on_the_gradients_size() -> None:
    layout = Layout({"backbone.0.weight": torch.zeros(5, 7)})
    zeros = torch.zeros(35)
    update = update_of("muon", math.inf, layout)
    gradient = torch.randn(35, generator=torch.Generator().manual_seed(1))
    rates = torch.tensor([1.0, 1.0, 0.5])
    small, large = (
        update(OuterState(zeros, zeros, zeros), size * gradient, rates) for size in (2**-10, 2**10)
    )
    torch.testing.assert_close(small.params, large.params, rtol=0, atol=1e-3)
    values = torch.linalg.svdvals(small.params.view(5, 7))
    # Five rounds leave singular values somewhere about 1.
    assert bool((values / (0.5 * 0.2 * math.sqrt(7)) - 1).abs().max() < 0.4)


def test_a_trainer_learns_by_muon() -> None:
    tasks, spec = (
        SinusoidSpec(n_shot=5, n_query=5),
        LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(16, 16))),
    )
    learner = build_learner(spec, signature_of(tasks))
    after = {}
    for name in ("adam", "muon"):
        training = TrainingSpec(iterations=100, meta_batch_size=4, meta_lr=0.01, optimizer=name)
        trainer = MetaTrainer(training, build_family(tasks), learner)
        before = trainer.run(10)["meta_loss"]
        trainer.run(70)
        after[name] = trainer.run(20)["meta_loss"]
        assert after[name] < before
    assert after["adam"] != after["muon"]
