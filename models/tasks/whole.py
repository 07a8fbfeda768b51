"""Every class of a labelled dataset, none kept for meta-training: what a model that never saw it is tested on."""

import msgspec

from models.spec import LabelledSpec
from models.tasks.duplicates import are_sampled
from models.tasks.episode_sampler import EpisodeSampler
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.tasks.split import usable_classes, without_small_pools


class Whole(Labelled):
    """N-way K-shot episodes of all classes of enough examples; only the split `test` can be sampled.

    Of equal examples of a class the first alone is kept, as in any other split.
    """

    def __init__(self, spec: LabelledSpec, data: LabelledData, seen: str = "") -> None:
        """`seen` is the `train_sample` of a version's split, where it is known.

        Raises ValueError where the dataset cannot give such episodes, with what is missing, or holds what was seen.
        """
        if seen and are_sampled(data.examples, seen):
            raise ValueError(
                "the dataset holds examples that the version was meta-trained on, under the same names of classes: "
                "leave `dataset` out to test it on what was held out, or leave those examples out of the dataset"
            )
        self.spec = msgspec.structs.replace(spec.as_tested, train_ways=None)
        self.data = data
        stock, _, _ = usable_classes(self.spec, data, data.contents)
        stock = without_small_pools(stock, spec.n_way)
        if not stock.rows:
            within = " within one task" if spec.within_task else ""
            raise ValueError(
                f"{spec.n_way}-way episodes need {spec.n_way} classes of at least n_shot + n_query = "
                f"{spec.n_shot + spec.n_query} different examples{within}, and the dataset does not have them"
            )
        self.samplers = {"test": EpisodeSampler(stock.rows, stock.pools, spec.n_way)}
