"""Every class of a labelled dataset, none kept for meta-training: what a model that never saw it is tested on."""

import msgspec
import numpy as np
import torch

from models.spec import LabelledSpec
from models.tasks.episode_sampler import EpisodeSampler
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData


class Whole(Labelled):
    """N-way K-shot episodes of all classes of enough examples; only the split `test` can be sampled."""

    def __init__(self, spec: LabelledSpec, data: LabelledData) -> None:
        """Raises ValueError, with what is missing, where the dataset cannot give such episodes."""
        if spec.within_task and data.tasks is None:
            raise ValueError("within_task needs a dataset with tasks, and this one has none")
        self.spec = msgspec.structs.replace(
            spec, rotations=False, augment=None, task_augment=None, train_ways=None
        )
        self.data = data
        pools_E = data.tasks if spec.within_task and data.tasks is not None else torch.zeros_like(data.labels)
        pairs_E = pools_E * (int(data.labels.max()) + 1) + data.labels
        _, starts_C, counts_C = np.unique(
            pairs_E.sort().values.numpy(), return_index=True, return_counts=True
        )
        by_class_E = pairs_E.argsort(stable=True)
        taken = spec.n_shot + spec.n_query
        every = [
            by_class_E[start : start + count]
            for start, count in zip(starts_C.tolist(), counts_C.tolist(), strict=True)
            if count >= taken
        ]
        pools_C = [int(pools_E[rows[0]]) for rows in every]
        large = {pool for pool in set(pools_C) if pools_C.count(pool) >= spec.n_way}
        kept = [number for number, pool in enumerate(pools_C) if pool in large]
        if not kept:
            within = " within one task" if spec.within_task else ""
            raise ValueError(
                f"{spec.n_way}-way episodes need {spec.n_way} classes of at least n_shot + n_query = {taken} "
                f"examples{within}, and the dataset does not have them"
            )
        pools = torch.tensor([pools_C[number] for number in kept])
        self.samplers = {"test": EpisodeSampler([every[number] for number in kept], pools, spec.n_way)}
