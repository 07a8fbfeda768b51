"""Fits the transformer to the prior over tables for so many seconds on one device, and keeps what it came to.

    python -P -m tests.benchmarks.table_training --seconds 1200 --regression-seconds 600 --out FOLDER

torch, safetensors and msgspec are all it needs. Tables are drawn on the device itself, of another size at every
step, so that no padding is computed. Seconds on a CPU are those that were computed.
"""

import argparse
import json
import math
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from models.algorithms.prior_fitted_heads import PriorFittedHeads
from models.build import build_family, build_learner
from models.episode import MetaBatch
from models.spec import (
    LearnerSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    TablesSpec,
    Task,
    max_ways_of,
    signature_of,
)
from models.tasks.tables.family import Tables
from models.training.outer_step import flatten, unflatten

TASKS: tuple[Task, Task] = ("classification", "regression")

# Columns of a step's tables, and how often: real small tables are narrow more often than not.
_COLUMNS = {
    2: 2,
    3: 3,
    4: 5,
    5: 4,
    6: 4,
    7: 4,
    8: 4,
    10: 4,
    12: 3,
    14: 3,
    17: 3,
    20: 2,
    24: 2,
    30: 2,
    36: 1,
    64: 0.4,
}
_SUPPORTS = (4, 8, 8, 12, 16, 16, 24, 32, 32, 48, 64, 64, 96)
# Tables of a step at most; groups of a kind, whose kernels the host has to call one by one; and tables of a group.
_MOST_TABLES = 768
_MOST_GROUPS = 16
_LEAST_GROUP = 8
# Steps whose tables are drawn together, of one size: a device has long drawn them when the host is done calling.
_AHEAD = 3
_WARM = 0.04
_SAY_EVERY_S = 20.0
_KEEP_EVERY_S = 60.0


class Settings(NamedTuple):
    """`tokens` is about how many a step has; `rate` the optimiser's at its highest."""

    seconds: float = 240.0
    regression_seconds: float = 120.0
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    width: int = 64
    layers: int = 3
    seed: int = 0
    tokens: int = 20_000
    rate: float = 2e-3
    most_columns: int = 64
    most_support: int = 96
    queries: int = 32

    @property
    def network(self) -> RowTransformerSpec:
        return RowTransformerSpec(width=self.width, layers=self.layers)


class Fitted(NamedTuple):
    """A learner's spec, and its parameters on the CPU."""

    task: Task
    spec: LearnerSpec
    params: dict[str, Tensor]
    tables: int = 0
    """How many it was fitted to, in `seconds`."""
    seconds: float = 0.0

    def learner(self, columns: int) -> PriorFittedHeads:
        """For tables of so many columns: the parameters are the same for any."""
        tasks = TablesSpec(task=self.task, columns=columns)
        learner = build_learner(self.spec, signature_of(tasks), max_ways_of(self.spec, tasks))
        assert isinstance(learner, PriorFittedHeads)
        return learner


def fit_both(settings: Settings, out: Path) -> dict[Task, Fitted]:
    """A classifier and a regression, both written to `out`."""
    found: dict[Task, Fitted] = {}
    for task, seconds in zip(TASKS, (settings.seconds, settings.regression_seconds), strict=True):
        if seconds > 0:
            found[task] = Fitting(settings, task, seconds).run(out / f"tables-{task}.safetensors")
    return found


class Fitting:
    """One learner's."""

    def __init__(self, settings: Settings, task: Task, seconds: float) -> None:
        self.settings = settings
        self.task: Task = task
        self.seconds = seconds
        self.device = torch.device(settings.device)
        spec = LearnerSpec(algorithm=PriorFittedSpec(), network=settings.network)
        self.fitted = Fitted(task, spec, {})
        self.learner = self.fitted.learner(settings.most_columns)
        family = build_family(TablesSpec(task=task, columns=settings.most_columns))
        assert isinstance(family, Tables)
        self.family = family
        params = self.learner.init(torch.Generator().manual_seed(settings.seed))
        self.params = {name: value.to(self.device).requires_grad_() for name, value in params.items()}
        self.choice = Random(settings.seed)
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.optimiser = self._optimiser()
        self.history: list[dict[str, float]] = []
        self._ahead: list[MetaBatch] = []

    def run(self, path: Path) -> Fitted:
        """Steps until the time is over; what there is goes to `path` now and then, and at the end."""
        numbers = sum(value.numel() for value in self.params.values())
        print(f"{self.task}: {numbers:,} parameters on {self.device}", flush=True)
        began = said = kept = self._clock()
        step = tables = 0
        losses: list[Tensor] = []
        while (now := self._clock()) - began < self.seconds:
            self._set_rate((now - began) / self.seconds)
            size, metrics = self._step()
            losses.append(torch.stack([metrics[name].float() for name in sorted(metrics)]))
            step, tables = step + 1, tables + size
            # Without waiting now and then the host would run far ahead of the device, past the end.
            if step % 4 == 0 and self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            if now - said > _SAY_EVERY_S:
                self._say(now - began, step, tables, losses, sorted(metrics))
                losses, said = [], now
            if now - kept > _KEEP_EVERY_S:
                self._keep(path)
                kept = now
        if losses:
            self._say(self._clock() - began, step, tables, losses, sorted(metrics))
        return self._keep(path)

    def _clock(self) -> float:
        """Seconds: of a GPU's run as they pass, of a CPU's those that it computed, whoever else was there."""
        return time.perf_counter() if self.device.type == "cuda" else time.process_time()

    def _optimiser(self) -> torch.optim.Optimizer:
        matrices = [value for value in self.params.values() if value.ndim >= 2]
        others = [value for value in self.params.values() if value.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        fused = self.device.type == "cuda"
        return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=fused)

    def _next(self) -> MetaBatch:
        """The tables of a step, of any number and all of one size."""
        if not self._ahead:
            self._ahead = self._draw()
        return self._ahead.pop()

    def _draw(self) -> list[MetaBatch]:
        settings, choice = self.settings, self.choice
        widths = {width: often for width, often in _COLUMNS.items() if width <= settings.most_columns}
        (columns,) = choice.choices(list(widths), list(widths.values()))
        support = choice.choice([size for size in _SUPPORTS if size <= settings.most_support])
        each = (support + settings.queries) * (columns + 1)
        tables = min(_MOST_TABLES, max(1, settings.tokens // each))
        group = max(_LEAST_GROUP, -(-tables * _AHEAD // _MOST_GROUPS))
        drawn = self.family.draw(
            self.generator, tables * _AHEAD, support, settings.queries, columns, group=group, choice=choice
        )
        parts = zip(*(tensor.split(tables) for tensor in flatten(drawn)), strict=True)
        return [unflatten(part) for part in parts]

    def _step(self) -> tuple[int, dict[str, Tensor]]:
        """The number of tables, and the learner's metrics on the device."""
        batch = self._next()
        loss, metrics = self.learner.meta_loss(self.params, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        params = list(self.params.values())
        norm = torch.nn.utils.clip_grad_norm_(params, 1.0)
        for value in params:
            # One table in millions may be beyond float32: its step is left out, and nothing waits to find out.
            if value.grad is not None:
                value.grad = torch.where(norm.isfinite(), value.grad, torch.zeros_like(value.grad))
        self.optimiser.step()
        return len(batch.query.inputs), metrics

    def _set_rate(self, share: float) -> None:
        """Up at once, and down to nothing by a cosine, over the share of the time that has gone."""
        if share < _WARM:
            height = share / _WARM
        else:
            height = 0.5 * (1 + math.cos(math.pi * min(1.0, (share - _WARM) / (1 - _WARM))))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * height

    def _say(self, spent: float, step: int, tables: int, losses: list[Tensor], names: list[str]) -> None:
        found = torch.stack(losses)
        means = found[found.isfinite().all(-1)].mean(0).tolist()
        line = {"seconds": round(spent, 1), "step": step, "tables": tables}
        line |= {name: round(value, 4) for name, value in zip(names, means, strict=True)}
        self.history.append(line)
        memory = torch.cuda.max_memory_allocated() >> 20 if self.device.type == "cuda" else 0
        print(json.dumps(line), f"{tables / spent:.0f} tables/s, {memory} MiB", flush=True)

    def _keep(self, path: Path) -> Fitted:
        """Parameters as safetensors; the learner's spec, and how it was fitted, in the file's metadata."""
        params = {name: value.detach().cpu().contiguous() for name, value in self.params.items()}
        metadata = {
            "task": self.task,
            "learner": msgspec.json.encode(self.fitted.spec).decode(),
            "settings": json.dumps(self.settings._asdict()),
            "history": json.dumps(self.history),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(params, path, metadata)
        return _told(self.fitted._replace(params=params), self.history)


def read(folder: Path) -> dict[Task, Fitted]:
    """What `fit_both` wrote to a folder. Raises FileNotFoundError."""
    found: dict[Task, Fitted] = {}
    for task in TASKS:
        path = folder / f"tables-{task}.safetensors"
        with safetensors.safe_open(path, "pt") as file:
            spec = msgspec.json.decode(file.metadata()["learner"], type=LearnerSpec)
            history = json.loads(file.metadata()["history"])
        found[task] = _told(Fitted(task, spec, safetensors.torch.load_file(path)), history)
    return found


def _told(fitted: Fitted, history: list[dict[str, float]]) -> Fitted:
    if not history:
        return fitted
    return fitted._replace(tables=int(history[-1]["tables"]), seconds=history[-1]["seconds"])


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for every field of `Settings`."""
    for name, default in Settings()._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)


def settings_of(given: argparse.Namespace) -> Settings:
    return Settings(**{name: getattr(given, name) for name in Settings._fields})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    add_settings(parser)
    given = parser.parse_args()
    fit_both(settings_of(given), given.out)


if __name__ == "__main__":
    main()
