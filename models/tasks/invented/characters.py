"""Characters that nobody writes: strokes between the points of a lattice, or dots upon them. Knows no image."""

from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

_MOST_STROKES = 6  # of a character
# Of alphabets: those that are of dots alone, told apart by where one is missing.
_DOTTED = 0.5
# Of an alphabet's strokes, and of its characters those that are another one but for a stroke.
_DOTS, _STRAIGHT, _ALIKE = 0.08, 0.5, 0.4
_DRAWN_EACH = 30  # characters, before an alphabet is taken to have no more


class Alphabet(NamedTuple):
    """N characters of up to S strokes each, cubic Bezier curves on a square from -1 to 1."""

    strokes: Tensor  # float32 [N, S, 4, 2], control points (x, y)
    mask: Tensor  # float32 [N, S]
    dotted: bool


class _Stroke(NamedTuple):
    """From one point of the lattice to another; `bend` to its side in parts of its length, or a loop's size."""

    start: int
    end: int
    bend: float = 0.0


def invent(chance: Random, most: int, may_be_dotted: bool) -> Alphabet:
    """An alphabet of as many characters as its lattice and its strokes allow, `most` of them at most.

    Its characters share few strokes, as those of an alphabet do, and many differ by one of them.
    """
    dotted = may_be_dotted and chance.random() < _DOTTED
    rows, columns = _lattice(chance, dotted)
    strokes = _dots(rows * columns) if dotted else _strokes(chance, rows * columns)
    characters: set[frozenset[int]] = set()
    for _ in range(_DRAWN_EACH * most):
        if len(characters) == most:
            break
        character = _character(chance, characters, len(strokes), _MOST_STROKES if dotted else 4)
        if dotted and character:
            character = _cornered(character, columns)
        if 1 <= len(character) <= _MOST_STROKES:
            characters.add(character)
    # Sets have no order of their own that two runs share.
    ordered = sorted(map(sorted, characters))
    curves_SB2 = _curves(chance, strokes, rows, columns, dotted)
    longest = max(map(len, ordered))
    strokes_NSB2, mask_NS = torch.zeros(len(ordered), longest, 4, 2), torch.zeros(len(ordered), longest)
    for place, character_strokes in enumerate(ordered):
        strokes_NSB2[place, : len(character_strokes)] = curves_SB2[character_strokes]
        mask_NS[place, : len(character_strokes)] = 1.0
    return Alphabet(strokes_NSB2, mask_NS, dotted)


def _lattice(chance: Random, dotted: bool) -> tuple[int, int]:
    """Rows and columns; of dots no more than a hand would set."""
    while True:
        rows, columns = chance.randint(2, 4), chance.randint(2, 4)
        if not (dotted and rows * columns > 9):
            return rows, columns


def _dots(points: int) -> list[_Stroke]:
    return [_Stroke(point, point) for point in range(points)]


def _strokes(chance: Random, points: int) -> list[_Stroke]:
    strokes = []
    for _ in range(chance.randint(5, 14)):
        start, end = chance.randrange(points), chance.randrange(points)
        if chance.random() < _DOTS:
            strokes.append(_Stroke(start, start))
        elif start == end:
            strokes.append(_Stroke(start, start, chance.uniform(0.5, 1.0)))
        else:
            bend = 0.0 if chance.random() < _STRAIGHT else chance.uniform(-0.9, 0.9)
            strokes.append(_Stroke(start, end, bend))
    return strokes


def _character(chance: Random, others: set[frozenset[int]], strokes: int, most: int) -> frozenset[int]:
    """Some of the alphabet's strokes; or another character's with one more, or one less."""
    if others and chance.random() < _ALIKE:
        return chance.choice(sorted(others, key=sorted)) ^ {chance.randrange(strokes)}
    return frozenset(chance.sample(range(strokes), chance.randint(1, min(most, strokes))))


def _cornered(dots: frozenset[int], columns: int) -> frozenset[int]:
    """The same dots in the lattice's upper left corner: where a drawing is on its page tells nobody what it is."""
    top = min(dot // columns for dot in dots)
    left = min(dot % columns for dot in dots)
    return frozenset(dot - top * columns - left for dot in dots)


def _curves(chance: Random, strokes: list[_Stroke], rows: int, columns: int, dotted: bool) -> Tensor:
    """Control points [strokes, 4, 2] on a lattice of a drawn height and width."""
    high, wide = (chance.uniform(low, low + 0.35) * (0.9 if dotted else 1.0) for low in (0.35, 0.3))
    rows_R, columns_C = torch.linspace(-high, high, rows), torch.linspace(-wide, wide, columns)
    points_P2 = torch.cartesian_prod(rows_R, columns_C).flip(-1)
    curves = []
    for stroke in strokes:
        start, end = points_P2[stroke.start], points_P2[stroke.end]
        way = end - start
        if stroke.start == stroke.end:
            size = stroke.bend * torch.tensor([wide, high])
            there, back = size * torch.tensor([1.2, 0.2]), size * torch.tensor([0.2, 1.2])
            curves.append((start, start + there, start + back, start))
        else:
            aside = stroke.bend * torch.stack([-way[1], way[0]])
            curves.append((start, start + way / 3 + aside, start + 2 * way / 3 + aside, end))
    return torch.stack([torch.stack(curve) for curve in curves])
