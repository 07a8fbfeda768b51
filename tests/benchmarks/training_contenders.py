"""Who meta-trains beside whom: turns taken, meta-gradients compared, and a row of the table for each."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.spec import MamlSpec
from models.training.meta_trainer import MetaTrainer
from tests.benchmarks.maml_peers import Peer
from tests.benchmarks.training_settings import Setting


@dataclass
class Contender:
    """One way to meta-train; `steps(n)` takes n outer steps. `rates` are its tasks a second, turn by turn."""

    name: str
    steps: Callable[[int], object]
    at_once: int = 1
    rates: list[float] = field(default_factory=list)
    processor_rates: list[float] = field(default_factory=list)

    def turn(self, seconds: float, tasks: int) -> None:
        """Run for about so long, and note tasks of wall time and of processor time."""
        steps, began, worked = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < seconds:
            self.steps(self.at_once)
            steps += self.at_once
        self.rates.append(steps * tasks / (time.perf_counter() - began))
        self.processor_rates.append(steps * tasks / (time.process_time() - worked))


def peer_of(kind: type[Peer], setting: Setting, ours: MetaTrainer) -> Peer:
    """A peer that starts from the parameters that ours has now."""
    algorithm = setting.config.learner.algorithm
    assert isinstance(algorithm, MamlSpec)
    network = setting.module(ours.meta_params)
    return kind(
        network, setting.loss, algorithm.inner_lr, algorithm.inner_steps, setting.config.training.meta_lr
    )


def peer_steps(peer: Peer, sample: Callable[[], Any]) -> Callable[[int], None]:
    def steps(count: int) -> None:
        for _ in range(count):
            peer.outer_step(sample())

    return steps


def difference(peer: Peer, ours: MetaTrainer) -> float:
    """Of the peer's meta-gradient and ours, on one meta-batch: the norm, relative to the gradient's."""
    batch = ours.family.sample(torch.Generator().manual_seed(7), 4)
    peer.network.zero_grad()
    peer.meta_gradient(batch)
    theirs = torch.cat(
        [param.grad.flatten() for param in peer.network.parameters() if param.grad is not None]
    )
    gradient, _ = ours.step.batch_gradient(ours.outer_state.params, *batch.support, *batch.query)
    return float((gradient - theirs).norm() / theirs.norm())


def operations(ours: MetaTrainer) -> float:
    """Multiplications and additions of one task's meta-gradient, those of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        ours.step.task_gradient(
            ours.outer_state.params, *ours.blocks.example.support, *ours.blocks.example.query
        )
    return float(counter.get_total_flops())


def row(one: Contender, best: Contender, gates: dict[str, float], floor: float) -> dict[str, Any]:
    ratios = [ours / theirs for ours, theirs in zip(best.rates, one.rates, strict=True)]
    ratio, gate = statistics.median(ratios), gates.get(one.name)
    return {
        "contender": one.name,
        "tasks_per_second": statistics.median(one.rates),
        "tasks_per_processor_second": statistics.median(one.processor_rates),
        "share_of_floor": statistics.median(one.rates) / floor,
        "ours_is_faster_by": ratio,
        "lowest_and_highest": [min(ratios), max(ratios)],
        "gate": gate,
        "held": gate is None or ratio >= gate,
    }


def table(record: dict[str, Any]) -> str:
    lines = [
        "",
        f"{record['setting']}, meta-batch {record['meta_batch_size']}, {record['threads']} thread(s)",
        f"{'':26} {'tasks/s':>10} {'a cpu s':>10} {'of floor':>9} {'ours is':>9} {'gate':>7}",
    ]
    for one in record["rows"]:
        gate = "" if one["gate"] is None else f"{one['gate']:.0f}x {'ok' if one['held'] else 'MISSED'}"
        lines.append(
            f"{one['contender']:26} {one['tasks_per_second']:10,.1f} {one['tasks_per_processor_second']:10,.1f} "
            f"{one['share_of_floor']:9.1%} {one['ours_is_faster_by']:8.2f}x {gate:>7}"
        )
    lines.append(f"floor by matrix products alone: {record['floor_tasks_per_second']:,.1f} tasks/s")
    for name, apart in record["relative_difference_of_meta_gradients"].items():
        lines.append(f"meta-gradient against {name}'s: {apart:.1e} apart")
    return "\n".join(lines)
