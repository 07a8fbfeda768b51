"""Draws without repetition: every ordered choice equally likely, whatever the sizes."""

from itertools import permutations

import torch

from models.tasks.episode_sampler import EpisodeSampler, draw_distinct


def test_every_ordered_choice_is_equally_likely() -> None:
    picks = draw_distinct(torch.Generator().manual_seed(0), torch.full((24_000,), 4), 2)
    counts = {tuple(pair): 0 for pair in permutations(range(4), 2)}
    for pair in picks.tolist():
        counts[tuple(pair)] += 1
    # 12 pairs, 2000 of each expected; five standard deviations are 214.
    assert all(abs(count - 2000) < 214 for count in counts.values())


def test_bounds_may_differ_and_be_as_small_as_the_choice() -> None:
    bounds = torch.tensor([[3, 10], [1_000_000, 4]])
    picks = draw_distinct(torch.Generator().manual_seed(1), bounds, 3)
    assert picks.shape == (2, 2, 3)
    assert (picks >= 0).all()
    assert (picks < bounds.unsqueeze(-1)).all()
    assert sorted(picks[0, 0].tolist()) == [0, 1, 2]
    assert all(len(set(row)) == 3 for row in picks.flatten(0, 1).tolist())


def test_classes_and_pools_come_up_equally_often() -> None:
    rows = [torch.arange(10 * place, 10 * place + 2 + place) for place in range(6)]
    sampler = EpisodeSampler(rows, torch.tensor([0, 2, 0, 2, 0, 2]), n_way=2)
    classes, picks = sampler.draw(torch.Generator().manual_seed(0), 6000, 2)
    assert (classes.flatten().bincount() - 2000).abs().max() < 150
    assert (classes[:, 0] % 2 == classes[:, 1] % 2).all()
    assert torch.equal(picks // 10, classes.unsqueeze(-1).expand_as(picks))


def test_an_episode_has_the_classes_of_one_turn_and_goes_on_with_another_pool_s() -> None:
    """Three classes of four turns each in one pool, five in another."""
    pools = torch.tensor([0] * 12 + [7] * 20)
    rows = [torch.arange(2 * place, 2 * place + 2) for place in range(32)]
    sampler = EpisodeSampler(rows, pools, n_way=7, turns=4)
    classes, _ = sampler.draw(torch.Generator().manual_seed(0), 400, 1)
    seen = set()
    for episode in classes:
        small = int(sampler.available(episode[None])) == 3
        own = episode[: 3 if small else 5]
        assert ((own < 12) == small).all()
        others = episode[len(own) :][:3]  # of the other pool, which may be the one of three
        assert ((others < 12) != small).all()
        for part in (own, others):
            assert len(set((part % 4).tolist())) == 1
        assert len(set(episode.tolist())) == 7
        seen.add((small, int(own[0] % 4)))
    assert len(seen) == 8


def test_where_all_pools_are_at_an_end_other_turns_fill_the_rest() -> None:
    rows = [torch.arange(2) for _ in range(8)]
    sampler = EpisodeSampler(rows, torch.tensor([0] * 4 + [1] * 4), n_way=5, turns=4)
    classes, _ = sampler.draw(torch.Generator().manual_seed(0), 50, 1)
    for episode in classes:
        assert len(set(episode.tolist())) == 5
        assert (episode[0] < 4) != (episode[1] < 4)
