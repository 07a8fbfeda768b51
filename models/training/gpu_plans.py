"""The plans that a GPU has, by name. Knows how a learner is built from a program's spec; measures nothing."""

from typing import NamedTuple

from models.build import build_learner
from models.networks.kernels import Kernels
from models.spec import Conv4Spec, MamlSpec
from models.training.graph_plan import GraphPlan
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import OuterStep
from models.training.plans import Plan, VmapPlan
from models.training.program import ProgramSpec


class _Kind(NamedTuple):
    kernels: Kernels
    for_own_convolutions: bool  # worth trying only where every task has convolution weights of its own


_GRAPHS = {
    "cuda_graph": _Kind(Kernels(), for_own_convolutions=False),
    "cuda_graph patches": _Kind(Kernels(convolution="patches"), for_own_convolutions=True),
}


def gpu_plan_names(spec: ProgramSpec) -> tuple[str, ...]:
    """Those worth measuring for it, the one that runs anything first."""
    own = isinstance(spec.learner.network, Conv4Spec) and isinstance(spec.learner.algorithm, MamlSpec)
    graphs = [name for name, kind in _GRAPHS.items() if own or not kind.for_own_convolutions]
    return (VmapPlan.name, *graphs)


def gpu_plan(name: str, spec: ProgramSpec, trainer: MetaTrainer) -> Plan | None:
    """The plan of that name for a trainer on a GPU; None where there is none."""
    if name == VmapPlan.name:
        return VmapPlan(trainer.step)
    kind = _GRAPHS.get(name)
    if kind is None:
        return None
    if kind.kernels == Kernels():
        return GraphPlan(name, trainer.step)
    learner = build_learner(spec.learner, spec.signature, spec.max_ways, kind.kernels)
    step = trainer.step
    return GraphPlan(name, OuterStep(learner, step.layout, step.update, trainer.blocks.example))
