"""The family of n-way k-shot tasks over a labelled dataset. Knows no learner and no file."""

import msgspec
import torch
from torch import Generator, Tensor

from models.episode import Episode, MetaBatch, QuerySet, SupportSet
from models.functional import on_device
from models.spec import AugmentSpec, LabelledSpec, Signature
from models.tasks import augmentation
from models.tasks.class_names import with_names
from models.tasks.episode_sampler import EpisodeSampler
from models.tasks.episode_sizes import draw_shots, draw_ways
from models.tasks.family import Split
from models.tasks.invented.episodes import Page, invented
from models.tasks.labelled_data import LabelledData
from models.tasks.measured_columns import measured
from models.tasks.split import TURNS, split_classes


class Labelled:
    """N-way K-shot episodes; the meta-test draws from classes (or tasks) that meta-training never sees.

    With `rotations`, in meta-training alone, a class turned by 90, 180 and 270 degrees is three more classes,
    as is usual for Omniglot (Santoro et al. 2016); with `turns_apart` an episode has an alphabet's of one turn.

    `table` is the dataset's signature, a table's numbers standardised by the classes of meta-training.
    """

    def __init__(self, spec: LabelledSpec, data: LabelledData) -> None:
        """Raises ValueError, with what is missing, where the dataset cannot give such episodes."""
        if spec.rotations and not (data.is_image and data.inputs.shape[2] == data.inputs.shape[3]):
            raise ValueError("rotations need square images")
        if (spec.augment or spec.task_augment) and not data.is_image:
            raise ValueError("only images can be warped")
        if spec.dropout and data.is_image:
            raise ValueError("dropout is for vectors and features, and these are images")
        if spec.invented and not (data.is_image and data.inputs.shape[1] == 1):
            raise ValueError("invented classes are images of one channel, and these are not")
        if spec.class_names and data.names is None:
            raise ValueError("only texts have class names that are examples, and no encoder read any")
        self.spec = spec
        self.data = data
        self.split = split_classes(spec, data)
        train, test, _ = self.split
        turns = TURNS if spec.rotations else 1
        # A class's turns follow one another, so that a class's number tells its turn.
        turned_rows = [rows for rows in train.rows for _ in range(turns)]
        self.samplers: dict[Split, EpisodeSampler] = {
            "train": EpisodeSampler(
                turned_rows,
                train.pools.repeat_interleave(turns),
                spec.most_ways,
                turns if spec.turns_apart else 1,
            ),
            "test": EpisodeSampler(test.rows, test.pools, spec.most_test_ways),
        }
        self._mean = self.train_mean() if spec.dropout else None
        self._page = Page.of(self.data.take(_some(self.samplers["train"].rows))) if spec.invented else None
        self.table = self._standardised(data.table)

    def train_mean(self) -> Tensor:
        """The mean [X] of the inputs that meta-training draws from; the held-out ones have no part in it."""
        return self._train_inputs().mean(0)

    def _train_inputs(self) -> Tensor:
        return self.data.take(torch.unique(self.samplers["train"].rows))

    def _standardised(self, table: Signature | None) -> Signature | None:
        """The dataset's signature with its columns' numbers standardised by what meta-training draws from."""
        if table is None or not table.columns:
            return table
        return msgspec.structs.replace(table, columns=measured(table.columns, self._train_inputs().cpu()))

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        """Support [M, N * n_shot, X] and query [M, N * n_query, X], where the data are; no example is in both.

        N is `n_way`, in meta-training perhaps `train_ways`. Where ways or shots vary they are padded to the most
        of each, class by class. With `class_names` N rows stand before the support set's examples.
        """
        spec, device, sampler = self.spec, self.data.inputs.device, self.samplers[split]
        classes_MN, rows_MNE = sampler.draw(generator, meta_batch_size, spec.most_shots + spec.n_query)
        inputs_MNEX = self.data.take(rows_MNE)
        if split == "train":
            inputs_MNEX = self._with_invented(generator, inputs_MNEX)
        if spec.rotations and split == "train":
            inputs_MNEX = turn(inputs_MNEX, on_device(classes_MN % TURNS, device))
        if split == "train":
            inputs_MNEX = self._dropped(generator, self._warped(generator, inputs_MNEX))
        if spec.is_variable:
            fewest = spec.fewest_train_ways if split == "train" else spec.fewest_ways
            episode = self._varied(generator, sampler, fewest, classes_MN, inputs_MNEX)
        else:
            episode = self._even(inputs_MNEX)
        return self._named(generator, split, rows_MNE, episode) if spec.class_names else episode

    def _even(self, inputs_MNEX: Tensor) -> MetaBatch:
        """Episodes of `n_shot` examples of every class, the first of each."""
        spec, device = self.spec, inputs_MNEX.device
        meta_batch_size, ways = inputs_MNEX.shape[:2]
        support_x, query_x = inputs_MNEX[:, :, : spec.n_shot], inputs_MNEX[:, :, spec.n_shot :]
        slots_MN = torch.arange(ways, device=device).repeat(meta_batch_size, 1)
        return Episode(
            SupportSet(
                support_x.flatten(1, 2),
                slots_MN.repeat_interleave(spec.n_shot, dim=1),
                torch.ones(meta_batch_size, ways * spec.n_shot, device=device),
                torch.ones(meta_batch_size, ways, device=device),
            ),
            QuerySet(
                query_x.flatten(1, 2),
                slots_MN.repeat_interleave(spec.n_query, dim=1),
                torch.ones(meta_batch_size, ways * spec.n_query, device=device),
            ),
        )

    def _with_invented(self, generator: Generator, images_MNEX: Tensor) -> Tensor:
        """Some episodes' images become those of classes that the dataset does not have."""
        if self._page is None:
            return images_MNEX
        _, ways, each, _, *size = images_MNEX.shape
        height, width = size
        for task in (torch.rand(len(images_MNEX), generator=generator) < self.spec.invented).nonzero():
            images_MNEX[task] = invented(
                generator, ways, each, self._page, (height, width), images_MNEX.device
            )
        return images_MNEX

    def _named(self, generator: Generator, split: Split, rows_MNE: Tensor, episode: MetaBatch) -> MetaBatch:
        """The episodes with a row for each class's name; in meta-training some of its numbers are dropped too."""
        names, named, labels_MN = self.data.names, self.data.named, self.data.labels[rows_MNE[:, :, 0]]
        assert names is not None
        assert named is not None
        labels_MN = on_device(labels_MN, names.device)
        names_MNX = names[labels_MN]
        if split == "train":
            names_MNX = self._dropped(generator, names_MNX)
        return episode._replace(support=with_names(episode.support, names_MNX, named[labels_MN]))

    def _dropped(self, generator: Generator, inputs: Tensor) -> Tensor:
        """Some numbers of every example [..., X] become their mean."""
        if self._mean is None:
            return inputs
        drawn = torch.rand(inputs.shape, generator=generator) < self.spec.dropout
        return torch.where(on_device(drawn, inputs.device), self._mean, inputs)

    def _warped(self, generator: Generator, images_MNEX: Tensor) -> Tensor:
        """Every image by a warp of its own, every episode by one of its own."""
        spec = self.spec
        if spec.augment is None and spec.task_augment is None:
            return images_MNEX
        tasks, shape = images_MNEX.shape[0], tuple(images_MNEX.shape[:3])
        warp = augmentation.draw(spec.augment or AugmentSpec(), generator, shape)
        if spec.task_augment is not None:
            shared = augmentation.draw(spec.task_augment, generator, (tasks,))
            warp = augmentation.compose(shared, warp)
        flat = images_MNEX.flatten(0, 2)
        return augmentation.apply(warp, flat).reshape(images_MNEX.shape)

    def _varied(
        self,
        generator: Generator,
        sampler: EpisodeSampler,
        fewest: int,
        classes_MN: Tensor,
        inputs_MNEX: Tensor,
    ) -> MetaBatch:
        """Episodes of `fewest` ways or more, and of drawn shots, from drawn classes, their query examples first."""
        spec, device = self.spec, inputs_MNEX.device
        ways_M = draw_ways(generator, fewest, sampler.available(classes_MN), sampler.n_way)
        counts_MN = sampler.counts_C[classes_MN]
        shots_MN = on_device(
            draw_shots(generator, counts_MN, ways_M, spec.n_query, spec.fewest_shots, spec.most_shots), device
        )
        real_MN = shots_MN > 0
        given_MNS = (torch.arange(spec.most_shots, device=device) < shots_MN.unsqueeze(-1)).float()
        asked_MNQ = real_MN.float().unsqueeze(-1).expand(-1, -1, spec.n_query)
        slots_MN = torch.arange(classes_MN.shape[1], device=device).expand_as(shots_MN)
        query_x, support_x = inputs_MNEX[:, :, : spec.n_query], inputs_MNEX[:, :, spec.n_query :]

        def masked(inputs_MNEX: Tensor, mask_MNE: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            mask_ME = mask_MNE.flatten(1)
            inputs_MEX = inputs_MNEX.flatten(1, 2)
            inputs_MEX = inputs_MEX * mask_ME.reshape(*mask_ME.shape, *[1] * (inputs_MEX.dim() - 2))
            return inputs_MEX, slots_MN.repeat_interleave(mask_MNE.shape[-1], dim=1), mask_ME

        return Episode(
            SupportSet(*masked(support_x, given_MNS), real_MN.float()), QuerySet(*masked(query_x, asked_MNQ))
        )

    @property
    def train_classes(self) -> int:
        """Of meta-training, a class's turns counted each."""
        return len(self.samplers["train"].counts_C)

    def examples(self, generator: Generator, size: int) -> tuple[Tensor, Tensor]:
        """Inputs [size, X] of meta-training and their classes int64 [size], every class equally likely."""
        classes, rows = self.samplers["train"].draw_examples(generator, size)
        inputs = self.data.take(rows)
        if self.spec.rotations:
            turns = on_device((classes % TURNS).reshape(-1, 1), inputs.device)
            inputs = turn(inputs[:, None, None], turns).flatten(0, 2)
        return inputs, on_device(classes, inputs.device)


def _some(rows: Tensor) -> Tensor:
    """A thousand of them at most, from all over."""
    return rows[:: -(-len(rows) // 1000)]


def turn(images: Tensor, turns: Tensor) -> Tensor:
    """Square images [M, N, E, C, H, W], those of class (m, n) turned by `turns` [M, N] quarters."""
    turned = images
    for quarters in range(1, TURNS):
        # Of all images, and kept of some: to pick those out, a GPU would have to say how many they are.
        chosen_MN1111 = (turns == quarters)[:, :, None, None, None, None]
        turned = torch.where(chosen_MN1111, torch.rot90(images, quarters, dims=(-2, -1)), turned)
    return turned
