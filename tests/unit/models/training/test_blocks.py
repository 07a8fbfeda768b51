"""Blocks: what is drawn depends on seed and iteration, memory is bounded, nothing is shared."""

import msgspec
import pytest
import torch

from models.spec import SinusoidSpec
from models.tasks.sinusoid import Sinusoid
from models.training import blocks
from models.training.blocks import Blocks
from tests.unit.models.training.conftest import SHORT


def _blocks(seed: int = 0, iterations: int = 1000) -> Blocks:
    training = msgspec.structs.replace(SHORT, iterations=iterations)
    family = Sinusoid(SinusoidSpec(n_shot=3, n_query=2))
    return Blocks(training, family, torch.Generator().manual_seed(seed), torch.device("cpu"))


def test_a_block_holds_every_steps_episodes_and_rates() -> None:
    block = _blocks().at(70)
    assert block.first == 64
    assert [tuple(tensor.shape) for tensor in block.episodes_at(0)][:3] == [(4, 3, 1), (4, 3, 1), (4, 3)]
    assert block.rates.shape == (64, 3)
    assert len({tensor.untyped_storage().data_ptr() for tensor in block.episodes if tensor.numel()}) == 6
    assert all(tensor.is_contiguous() for tensor in block.episodes)


@pytest.mark.parametrize("iteration", [0, 1, 63, 64, 65, 128])
def test_episodes_are_the_same_wherever_a_run_is_cut(iteration: int) -> None:
    whole, first, second = _blocks(), _blocks(), _blocks()
    for one in range(iteration):
        whole.at(one)
        first.at(one)
    second.restore(first.generator_state(iteration))
    for one in range(iteration, 200):
        for here, there in zip(whole.at(one).episodes, second.at(one).episodes, strict=True):
            assert torch.equal(here, there)


def test_seeds_and_blocks_differ() -> None:
    one, other = _blocks(0), _blocks(1)
    inputs = [one.at(0).episodes[0], one.at(64).episodes[0], other.at(0).episodes[0]]
    assert not any(torch.equal(inputs[i], inputs[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_a_block_is_no_longer_than_memory_allows_and_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _blocks(iterations=5).length == 5
    numbers_of_a_step = 4 * (3 * 3 + 3 * 2)
    monkeypatch.setattr(blocks, "LARGEST", 10 * numbers_of_a_step)
    assert _blocks().length == 10
    monkeypatch.setattr(blocks, "LARGEST", 1)
    assert _blocks().length == 1
