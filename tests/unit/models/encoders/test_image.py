"""A small image encoder made here, as timm writes one. Needs the extra `images` and a torchvision fit for torch."""

import json
from pathlib import Path

import msgspec
import pytest
import torch

try:
    import timm
except (ImportError, RuntimeError) as error:  # a torchvision of another build raises the latter
    pytest.skip(f"timm cannot be imported: {error}", allow_module_level=True)

from safetensors.torch import save_file

from models.encoders.folder import EncoderError, read_folder
from models.encoders.image import ImageEncoder
from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.encoders.tuning import Tuning
from models.spec import EncoderSpec

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    torch.manual_seed(0)
    module = timm.create_model("resnet10t", pretrained=False)
    config = {
        "architecture": "resnet10t",
        "num_features": module.num_features,
        "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(module.state_dict(), folder / "model.safetensors")
    return folder


def test_images_of_any_size_and_colour_become_features_of_their_own(folder: Path) -> None:
    encoder = ImageEncoder(read_folder(folder), CPU)
    images = torch.rand(3, 1, 17, 17, generator=torch.Generator().manual_seed(0))
    together = encoder.encode(images)
    assert together.shape == (3, encoder.width)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(encoder.encode(images[1:2])[0], together[1], rtol=0, atol=1e-6)
    assert encoder.encode(torch.rand(1, 3, 1, 1)).isfinite().all()


@pytest.mark.parametrize("name", ["hf-hub:somebody/model", "no_such_network", "../x"])
def test_an_architecture_is_one_of_timms_own(folder: Path, name: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architecture": name}))
    with pytest.raises(EncoderError):
        EncoderStock(EncoderShelf(folder.parent), CPU).get(EncoderSpec(encoder="tiny"))


@pytest.mark.parametrize("tuning", ["lora", "layer_norm"])
def test_a_vision_transformers_top_is_tuned(folder: Path, tuning: str) -> None:
    made = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    module = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, **made)
    config = json.loads((folder / "config.json").read_text())
    config |= {"architecture": "vit_tiny_patch16_224", "num_features": 32, "model_args": made}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(module.state_dict(), folder / "model.safetensors")
    encoder = ImageEncoder(read_folder(folder), CPU)
    spec = msgspec.convert({"name": "encoder", "encoder": "tiny", "tuning": tuning, "layers": 1}, EncoderSpec)
    tuned = Tuning(encoder.module, spec)
    params = tuned.init(torch.Generator().manual_seed(0))
    images = torch.rand(2, 3, 1, 9, 9, generator=torch.Generator().manual_seed(1))

    def loss(moved: dict[str, torch.Tensor]) -> torch.Tensor:
        weights = tuned.weights(moved)
        return torch.vmap(lambda some: encoder.features(some, weights))(images)[..., 0].sum()

    gradients = torch.func.grad(loss)(params)
    moved = {name: params[name] - 0.5 * gradient for name, gradient in gradients.items()}
    assert loss(moved) < loss(params)
    served = encoder.tuned(tuned.weights(moved)).encode(images[0])
    torch.testing.assert_close(served, encoder.features(images[0], tuned.weights(moved)), rtol=0, atol=1e-6)
    assert (served - encoder.encode(images[0])).abs().max() > 1e-6
