"""A small image encoder made here, as timm writes one. Needs the extra `images` and a torchvision fit for torch."""

import json
from pathlib import Path

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
