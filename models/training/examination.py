"""A whole evaluation of a version, part by part: its score, calibration, curve over shots and table over steps.

Changes no parameter; knows no job. A part takes seconds to minutes, and a caller may stop between two of them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import torch
from torch import Generator

from models.build import build_learner, check_params
from models.episode import MetaBatch
from models.functional import Params
from models.spec import LearnerSpec, Signature
from models.tasks.family import Split, TaskFamily
from models.training.calibration import Calibration
from models.training.evaluation import INNER_STEPS, evaluate
from models.training.shots import at_shots

# Called with the number of episodes that are about to be drawn; may raise to break off.
Tell = Callable[[int], None]


class Part(NamedTuple):
    """One pass over the episodes: the version as it is, or with other shots or inner steps."""

    kind: Literal["score", "shots", "steps"]
    number: int = 0


class Examination:
    """The same episodes for every part that has the version's own shots; equal seeds give equal reports."""

    def __init__(
        self,
        spec: LearnerSpec,
        signature: Signature,
        max_ways: int | None,
        meta_params: Params,
        family: TaskFamily,
        *,
        episodes: int,
        seed: int,
        shots: Sequence[int] = (),
        device: torch.device | str = "cpu",
    ) -> None:
        """`shots` are those to draw the curve at, as far as the family has them and the learner
        takes them.

        Raises ValueError where learner, signature and parameters do not fit.
        """
        check_params(build_learner(spec, signature, max_ways), meta_params)
        self._version = (spec, signature, max_ways)
        self._params = meta_params
        self._family = family
        self._episodes = episodes
        self._seed = seed
        self._device = device
        self._calibration: dict[str, Any] | None = None
        self._done: dict[Part, dict[str, float]] = {}
        most = spec.support_bound
        steps = INNER_STEPS if "inner_steps" in spec.algorithm.adjustable else ()
        self.parts = (
            Part("score"),
            *(Part("shots", number) for number in shots if at_shots(family, number, most) is not None),
            *(Part("steps", number) for number in steps),
        )

    @property
    def total(self) -> int:
        """Episodes of all parts."""
        return self._episodes * len(self.parts)

    @property
    def done(self) -> int:
        """Episodes of the parts that are done."""
        return self._episodes * len(self._done)

    @property
    def finished(self) -> bool:
        return len(self._done) == len(self.parts)

    def advance(self, tell: Tell) -> None:
        """Do the next part."""
        part = self.parts[len(self._done)]
        spec, signature, max_ways = self._version
        family = at_shots(self._family, part.number) if part.kind == "shots" else self._family
        calibration = Calibration()
        if part.kind == "steps":
            algorithm = msgspec.structs.replace(spec.algorithm, inner_steps=part.number)
            spec = msgspec.structs.replace(spec, algorithm=algorithm)
        assert family is not None
        scores = evaluate(
            build_learner(spec, signature, max_ways),
            self._params,
            _Told(family, tell),
            episodes=self._episodes,
            seed=self._seed,
            device=self._device,
            show=calibration.add if part.kind == "score" else None,
        )
        if part.kind == "score":
            self._calibration = calibration.report()
        self._done[part] = scores

    def report(self) -> dict[str, Any]:
        """What is known so far: the scores of `evaluate`, `calibration`, and the rows of `per_shot`, `per_step`."""
        rows = {
            kind: [{kind: part.number, **scores} for part, scores in self._done.items() if part.kind == kind]
            for kind in ("shots", "steps")
        }
        return {
            **self._done.get(Part("score"), {}),
            **({"calibration": self._calibration} if self._calibration else {}),
            **({"per_shot": rows["shots"]} if rows["shots"] else {}),
            **({"per_step": rows["steps"]} if rows["steps"] else {}),
        }


class _Told:
    """A family that tells before it samples."""

    def __init__(self, family: TaskFamily, tell: Tell) -> None:
        self._family = family
        self._tell = tell

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        self._tell(meta_batch_size)
        return self._family.sample(generator, meta_batch_size, split)
