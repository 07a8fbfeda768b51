"""An image encoder's top is learned with the learner, by images that are warped and turned, and so it is served."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.encoders import image
from models.encoders.folder import EncoderFiles, read_folder
from models.encoders.image import ImageEncoder
from models.encoders.tuning import tuned_params
from models.spec import AugmentSpec, AutoSpec, EncoderSpec, LabelledSpec, LearnerSpec
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig, TrainingSpec
from services.jobs.evaluation import prepare_evaluation
from services.jobs.evaluation_config import EvaluationConfig
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from services.storage.manifest import decode_artifact

WIDTH, SIDE, CLASSES, EACH = 16, 8, 8, 10
SETTINGS = WorkerSettings(worker_device="cpu", worker_threads=1)


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).chunk(3, -1)
        mixed: Tensor = self.proj(torch.softmax(query @ key.mT / WIDTH**0.5, -1) @ value)
        return mixed


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(WIDTH), _Attention()

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.attn(self.norm1(tokens))


class _Vision(nn.Module):
    """A transformer of patches with its parts called as timm's are; there is no timm where tests run."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, WIDTH, 4, stride=4)
        self.blocks = nn.Sequential(_Block(), _Block())

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.blocks(self.patch_embed(images).flatten(2).mT).mean(1)
        return pooled


def _network(_files: EncoderFiles, _config: Mapping[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return _Vision()


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageEncoder:
    monkeypatch.setattr(image, "network", _network)
    save_file(_Vision().state_dict(), tmp_path / "model.safetensors")
    cfg = {"input_size": [3, SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3}
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "vision", "num_features": WIDTH, "pretrained_cfg": cfg})
    )
    return ImageEncoder(read_folder(tmp_path), torch.device("cpu"))


def _images() -> LabelledData:
    """Gray images: a class is a pattern of its own under as much noise."""
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 256, (CLASSES, SIDE, SIDE))
    noise = generator.integers(0, 256, (CLASSES, EACH, SIDE, SIDE))
    images = (0.6 * patterns[:, None] + 0.4 * noise).astype(np.uint8).reshape(-1, SIDE, SIDE)
    return LabelledData.from_arrays(images, np.arange(CLASSES).repeat(EACH))


def _config(tuning: str, **tasks: Any) -> MetaTrainingConfig:
    network = EncoderSpec(encoder="small", width=WIDTH, tuning=tuning, rank=2, layers=1)  # type: ignore[arg-type]
    return MetaTrainingConfig(
        learner=LearnerSpec(algorithm=AutoSpec(), network=network),
        tasks=LabelledSpec(dataset="", n_way=3, n_shot=2, n_query=3, test_fraction=0.4, **tasks),
        training=TrainingSpec(iterations=40, meta_batch_size=4, meta_lr=0.05, test_episodes=20),
    )


@pytest.mark.parametrize("tuning", ["lora", "layer_norm"])
def test_what_is_learned_is_a_version_and_is_evaluated_as_it_is_served(
    encoder: ImageEncoder, tuning: str
) -> None:
    turned = {"rotations": True, "augment": AugmentSpec(shift=0.05)}
    config, data = _config(tuning, **turned), _images()
    given = (lambda *_: data, SETTINGS)
    run = prepare(msgspec.to_builtins(config), *given, encoder_of=lambda *_: encoder)
    losses = [run.run(10)["meta_loss"] for _ in range(4)]
    assert run.finished
    assert losses[-1] < losses[0]
    scores = run.meta_test(lambda: None)["meta_test"]
    artifact = run.artifact({}, {})
    manifest, arrays = decode_artifact(artifact)
    differences = tuned_params({name: torch.from_numpy(value) for name, value in arrays.items()})
    assert differences
    assert any(value.abs().max() > 0 for value in differences.values())
    assert manifest.signature.inputs.example_shape == (SIDE, SIDE, 1)

    evaluation = EvaluationConfig(
        model="some", version=1, episodes=20, seed=run.test_seed, shots=(1,), whole=False, tasks=config.tasks
    )
    examination = prepare_evaluation(
        msgspec.to_builtins(evaluation), artifact, *given, encoder_of=lambda *_: encoder
    )
    while not examination.finished:
        examination.advance(lambda _: None)
    assert examination.report()["accuracy"] == pytest.approx(scores["accuracy"], abs=1e-6)


def test_tuned_weights_make_other_features_and_the_shared_ones_stay(encoder: ImageEncoder) -> None:
    images = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    before = encoder.encode(images)
    moved = {"blocks.1.norm1.bias": encoder.module.get_parameter("blocks.1.norm1.bias") + 1.0}
    assert (encoder.tuned(moved).encode(images) - before).abs().max() > 1e-3
    assert torch.equal(encoder.encode(images), before)
    torch.testing.assert_close(before.norm(dim=1), torch.ones(3))
