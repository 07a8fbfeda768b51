"""A program's recordings on a GPU, as many as are worth trying. Makes them; the plans say which one holds."""

import logging
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.functional import Params
from models.networks.kernels import Kernels
from models.programs.recorded import NotRecordable, Recording, shared_pool
from models.spec import Conv4Spec
from services.engine.device import EnginePrecision
from services.engine.line import Plan, Recorded
from services.engine.programs import Program, ProgramSpec, build_program

logger = logging.getLogger(__name__)

# How far a recorded answer may be from the eager one, for numbers of the answer's own size: in float32, where
# products are rounded to TF32 by the one kernel and by another kernel otherwise, and in bfloat16.
_TOLERANCE, _TF32_TOLERANCE, _BFLOAT16_TOLERANCE = 1e-4, 1e-2, 2e-2


class Recorder:
    """For one device. Recordings share the memory that they compute in: they are replayed one after the other."""

    def __init__(self, precision: EnginePrecision, budget: int) -> None:
        """`budget` bounds, in bytes, what goes in and out of all that are kept."""
        self.budget = budget
        self._precision = precision
        self._pool = shared_pool()

    def recordings(
        self, spec: ProgramSpec, meta_params: Params, tensors: Sequence[Tensor]
    ) -> Iterator[Recorded]:
        """One for each way that fits the program and can be recorded."""
        for plan, kernels, tolerance in self._ways(spec):
            try:
                yield self._record(
                    plan, build_program(spec, meta_params, kernels), meta_params, tensors, tolerance
                )
            except NotRecordable as error:
                logger.warning("%s of %s cannot be recorded: %s", plan, spec.kind, error)
            except torch.OutOfMemoryError:
                logger.warning("no memory to record %s of %s", plan, spec.kind)

    def _ways(self, spec: ProgramSpec) -> Iterator[tuple[Plan, Kernels, float]]:
        tolerance = _TF32_TOLERANCE if self._precision == "tf32" else _TOLERANCE
        yield Plan.GRAPH, Kernels(), tolerance
        # Weights of its own for every task: only there does the library take a grouped convolution.
        own = spec.learner.algorithm.gradient_steps > 0 or spec.learner.algorithm.has_output_layer
        if own and isinstance(spec.learner.network, Conv4Spec):
            yield Plan.GRAPH_PATCHES, Kernels(convolution="patches"), tolerance
        if self._precision == "bfloat16":
            yield Plan.GRAPH_BFLOAT16, Kernels(backbone="bfloat16"), _BFLOAT16_TOLERANCE

    def _record(
        self, plan: Plan, program: Program, meta_params: Params, tensors: Sequence[Tensor], tolerance: float
    ) -> Recorded:
        names = sorted(meta_params)

        def flat(*given: Tensor) -> tuple[Tensor, ...]:
            return program.together(dict(zip(names, given, strict=False)), given[len(names) :])

        recording = Recording(flat, [*(meta_params[name] for name in names), *tensors], self._pool)
        return Recorded(plan, recording, recording.size, tolerance)
