"""Compiled programs: what one is for, and the plan that runs one. Knows no compiler.

A program is a file of machine code (torch's AOTInductor) that takes a block's outer steps in one call. Loading it
takes moments, no guard can make it compile again, and the same file gives the same bytes.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from models.programs.key import program_key
from models.spec import LearnerSpec, Signature
from models.training.blocks import Block
from models.training.config import OptimizerName, PrecisionName
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import OuterState, flatten


class ProgramSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides a program's code: what is learned, in which shapes, by how many threads."""

    learner: LearnerSpec
    signature: Signature
    max_ways: int | None
    clip_norm: float
    optimizer: OptimizerName
    precision: PrecisionName
    steps: int  # B, those of a block
    meta_batch_size: int
    episode: tuple[tuple[tuple[int, ...], str], ...]  # shape and dtype of an episode's tensors
    threads: int

    @classmethod
    def of(
        cls, learner: LearnerSpec, signature: Signature, max_ways: int | None, trainer: MetaTrainer
    ) -> "ProgramSpec":
        """The program that a trainer of that learner needs."""
        return cls(
            learner=learner,
            signature=signature,
            max_ways=max_ways,
            clip_norm=trainer.training.clip_norm,
            optimizer=trainer.training.optimizer,
            precision=trainer.training.precision,
            steps=trainer.blocks.length,
            meta_batch_size=trainer.training.meta_batch_size,
            episode=tuple(
                (tuple(one.shape), str(one.dtype).removeprefix("torch."))
                for one in flatten(trainer.blocks.example)
            ),
            threads=torch.get_num_threads(),
        )

    @property
    def is_compiled(self) -> bool:
        """Whether a compiler makes the same of it but for rounding: one that fuses operations leaves out the
        rounding between them, and torch 2.13's fails where it adds up in bfloat16."""
        return self.precision == "float32"

    @property
    def key(self) -> str:
        """A name for the program among all others that this or another machine may have compiled."""
        return program_key(msgspec.json.encode(self))


class CompiledPlan:
    """A block's steps in one call. Nothing of the call depends on grad mode, on threads or on earlier calls."""

    def __init__(self, path: Path, metrics: int) -> None:
        """Loads the program; `metrics` is K. Raises RuntimeError or OSError where the file is not one."""
        # Imports the compiler's package, for a second or two; no run needs it that has no program.
        from torch._inductor import aoti_load_package

        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = f"compiled {digest[:16]}"
        self._metrics = metrics
        self._program: Any = aoti_load_package(str(path))

    def run(self, state: OuterState, block: Block, place: int, count: int) -> tuple[OuterState, Tensor]:
        history = torch.zeros(len(block.rates), self._metrics)
        span = torch.tensor(place), torch.tensor(count)
        *vectors, history = self._program(*state, history, *span, block.rates, *block.episodes)
        return OuterState(*vectors), history[place : place + count]
