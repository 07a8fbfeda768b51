"""Plans: the same training but for rounding, and bytes that depend on the plan alone."""

import pytest
import torch

from models.training.checkpoint import encode_checkpoint
from models.training.meta_trainer import MetaTrainer, Stretch
from models.training.plans import LoopPlan
from tests.unit.models.training.conftest import MakeTrainer


@pytest.fixture
def in_loop(make_trainer: MakeTrainer) -> MakeTrainer:
    """A function that makes a trainer which loops, with so many threads."""

    def make(threads: int) -> MetaTrainer:
        torch.set_num_threads(threads)
        trainer = make_trainer()
        trainer.use(LoopPlan(trainer.step))
        assert torch.get_num_threads() == threads
        return trainer

    return make


def test_a_loop_trains_as_one_pass_does(make_trainer: MakeTrainer, in_loop: MakeTrainer) -> None:
    one_pass, loop = make_trainer(), in_loop(1)
    first, second = one_pass.run(10), loop.run(10)
    assert first == pytest.approx(second, rel=1e-4)
    torch.testing.assert_close(one_pass.outer_state.params, loop.outer_state.params, rtol=1e-3, atol=1e-5)


def test_a_loops_bytes_do_not_depend_on_its_threads(in_loop: MakeTrainer) -> None:
    alone, together = in_loop(1), in_loop(3)
    alone.run(30)
    together.run(30)
    assert encode_checkpoint(alone.state()) == encode_checkpoint(together.state())


def test_stretches_say_which_plan_took_which_steps(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    trainer.run(5)
    trainer.use(LoopPlan(trainer.step))
    assert trainer.stretches == (Stretch(0, "vmap"), Stretch(5, "loop"))
    second = make_trainer()
    second.restore(trainer.state())
    assert second.stretches == trainer.stretches
    second.run(5)
    assert second.stretches == (Stretch(0, "vmap"), Stretch(5, "vmap"))


def test_a_checkpoint_without_stretches_is_taken_up(make_trainer: MakeTrainer) -> None:
    first, second = make_trainer(), make_trainer()
    first.run(5)
    state = first.state()
    del state["stretches"]
    second.restore(state)
    second.run(5)
    assert second.stretches == (Stretch(5, "vmap"),)
