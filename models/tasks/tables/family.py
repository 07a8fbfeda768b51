"""The family of synthetic tables. Knows the prior over tables; no learner."""

from random import Random

import torch
from torch import Generator, Tensor

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.spec import TablesSpec
from models.tasks.family import Split
from models.tasks.tables.draws import chooser, log_between
from models.tasks.tables.prior import GROUP, draw_tables
from models.tasks.tables.targets import in_order


class Tables:
    """Small tables from a prior of random graphs, trees, smooth functions, linear ones and clusters.

    After the priors of Hollmann et al. 2023 (structural causal models) and 2025 (trees, categories, gaps).
    """

    def __init__(self, spec: TablesSpec) -> None:
        """Raises ValueError where `min_shot` is above `max_shot`."""
        if spec.min_shot > spec.max_shot:
            raise ValueError(f"min_shot {spec.min_shot} is above max_shot {spec.max_shot}")
        self.spec = spec

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """Support padded to [M, max_shot, columns], query [M, n_query, columns]; both splits are fresh draws.

        Each table has 2 columns to `columns`, zeros behind them, and from `min_shot` to `max_shot` labelled rows.
        """
        spec, tasks = self.spec, meta_batch_size
        drawn = self._draw(generator, tasks, spec.max_shot + spec.n_query, spec.columns, narrower=True)
        shots_M1 = log_between(generator, spec.min_shot, spec.max_shot + 0.99, tasks, 1).long()
        mask_MS = (torch.arange(spec.max_shot, device=generator.device) < shots_M1).float()
        return self._parted(generator, *drawn, mask_MS)

    def draw(
        self,
        generator: Generator,
        tasks: int,
        support: int,
        queries: int,
        columns: int,
        *,
        group: int = GROUP,
        choice: Random | None = None,
    ) -> MetaBatch:
        """Tables of these very sizes, on the generator's device, with nothing padded.

        `choice` decides what code branches by; without it the generator does, which waits for its device.
        """
        drawn = self._draw(generator, tasks, support + queries, columns, group=group, choice=choice)
        return self._parted(generator, *drawn, torch.ones(tasks, support, device=generator.device))

    @property
    def _classes(self) -> int | None:
        return self.spec.classes if self.spec.task == "classification" else None

    def _draw(
        self,
        generator: Generator,
        tasks: int,
        rows: int,
        columns: int,
        *,
        group: int = GROUP,
        narrower: bool = False,
        choice: Random | None = None,
    ) -> tuple[Tensor, Tensor]:
        return draw_tables(
            generator,
            choice or chooser(generator),
            tasks,
            rows,
            columns,
            self._classes,
            group=group,
            narrower=narrower,
        )

    def _parted(
        self, generator: Generator, values_MED: Tensor, targets: Tensor, mask_MS: Tensor
    ) -> MetaBatch:
        """Labelled rows, those of the mask among the first, and rows to predict."""
        tasks, shots = mask_MS.shape
        queries = values_MED.shape[1] - shots
        class_mask = torch.ones(tasks, 0, device=mask_MS.device)
        query_mask = torch.ones(tasks, queries, device=mask_MS.device)
        labelled = mask_MS
        if self._classes is not None:
            targets, known_M1 = in_order(generator, targets, mask_MS > 0, self._classes)
            class_mask = (torch.arange(self._classes, device=mask_MS.device) < known_M1).float()
            # Nobody can name a class that no labelled row has, and one class alone is not told from others.
            query_mask = ((targets[:, shots:] < known_M1) & (known_M1 > 1)).float()
        else:
            labelled = mask_MS.unsqueeze(-1)
        inputs = values_MED[:, :shots].masked_fill(mask_MS.unsqueeze(-1) == 0, 0.0)
        return Episode(
            SupportSet(inputs, (targets[:, :shots] * labelled).to(targets.dtype), mask_MS, class_mask),
            QuerySet(values_MED[:, shots:], targets[:, shots:], query_mask),
        )
