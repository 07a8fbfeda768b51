"""Invented alphabets: no character twice, none empty, dots in their lattice's corner, the same for one seed."""

from random import Random

import pytest
import torch

from models.tasks.invented.characters import Alphabet, invent

MOST = 30


def _alphabets(dotted: bool) -> list[Alphabet]:
    alphabets = [invent(Random(seed), MOST, True) for seed in range(40)]
    return [alphabet for alphabet in alphabets if alphabet.dotted == dotted]


def _characters(alphabet: Alphabet) -> list[frozenset[bytes]]:
    """Each as the set of its strokes."""
    return [
        frozenset(stroke.numpy().tobytes() for stroke in strokes[mask > 0])
        for strokes, mask in zip(alphabet.strokes, alphabet.mask, strict=True)
    ]


@pytest.mark.parametrize("dotted", [False, True])
def test_no_character_is_empty_or_there_twice(dotted: bool) -> None:
    alphabets = _alphabets(dotted)
    assert len(alphabets) > 5
    for alphabet in alphabets:
        characters = _characters(alphabet)
        assert 5 <= len(characters) <= MOST
        assert all(characters)
        if dotted:  # two of a dozen random strokes may be the same
            assert len(set(characters)) == len(characters)


def test_characters_differ_by_little() -> None:
    """Most have another that differs by one stroke: what tells them apart has to be looked for."""
    near = total = 0
    for alphabet in _alphabets(dotted=False) + _alphabets(dotted=True):
        characters = _characters(alphabet)
        near += sum(any(len(one ^ other) == 1 for other in characters) for one in characters)
        total += len(characters)
    assert near > total / 2


def test_dots_begin_at_the_upper_left_of_their_lattice() -> None:
    for alphabet in _alphabets(dotted=True):
        assert (alphabet.strokes == alphabet.strokes[:, :, :1]).all(), "a dot has no length"
        corner = alphabet.strokes[alphabet.mask > 0].amin((0, 1))
        for strokes, mask in zip(alphabet.strokes, alphabet.mask, strict=True):
            torch.testing.assert_close(strokes[mask > 0].amin((0, 1)), corner)


def test_there_are_no_dots_where_there_may_be_none() -> None:
    assert not any(invent(Random(seed), MOST, False).dotted for seed in range(40))


def test_one_seed_invents_one_alphabet() -> None:
    one, same, other = (invent(Random(seed), MOST, True) for seed in (1, 1, 2))
    assert torch.equal(one.strokes, same.strokes)
    assert one.strokes.shape != other.strokes.shape or not torch.equal(one.strokes, other.strokes)
