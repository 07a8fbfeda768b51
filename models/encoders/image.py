"""A pretrained image encoder: images in, one vector each out. Knows timm; nothing of learners and tasks."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.encoders.encoder import Encoder
from models.encoders.folder import EncoderError, EncoderFiles

_PASS_IMAGES = 32


class ImageEncoder(Encoder):
    """A timm network without its classifier; features of length one. It is loaded once and never changes."""

    def __init__(self, files: EncoderFiles, device: torch.device) -> None:
        """Raises EncoderError, OSError or RuntimeError where the folder's files do not fit together."""
        config = json.loads((files.folder / "config.json").read_bytes())
        cfg = config["pretrained_cfg"]
        self.width = files.width
        self.side = files.side
        self._device = device
        self._mean, self._std = (
            torch.tensor(cfg.get(name, [0.5] * 3), device=device).view(3, 1, 1) for name in ("mean", "std")
        )
        # Evaluation: batch norms use what they learned, never the batch.
        self.module = network(files, config).eval().requires_grad_(False).to(device)

    def encode(
        self, examples: Tensor, before_each_pass: Callable[[int], None] = lambda _done: None
    ) -> Tensor:
        """Features float32 [E, F] on the CPU of images [E, C, H, W] in 0..1, grey or colour, of any size."""
        features = torch.empty(len(examples), self.width)
        for start in range(0, len(examples), _PASS_IMAGES):
            before_each_pass(start)
            piece = examples[start : start + _PASS_IMAGES].to(self._device)
            with torch.no_grad():
                features[start : start + len(piece)] = self.features(piece, self._weights).cpu()
        return features

    def features(self, examples: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Features [E, F] of images [E, C, H, W] in 0..1."""
        size = (self.side, self.side)
        images = functional.interpolate(
            examples.expand(-1, 3, -1, -1), size, mode="bicubic", antialias=True
        ).clamp(0, 1)
        found = torch.func.functional_call(
            self.module, dict(weights or {}), ((images - self._mean) / self._std,)
        )
        return functional.normalize(found, dim=-1)


def network(files: EncoderFiles, config: Mapping[str, Any]) -> torch.nn.Module:
    """The folder's network by timm, with its weights. Raises as ImageEncoder does."""
    # Imported here: it brings torchvision, which takes seconds.
    import timm
    from safetensors.torch import load_file

    weights = sorted(files.folder.glob("*.safetensors"))
    if len(weights) != 1:
        raise EncoderError("an image encoder has one file of weights")
    # By name from timm's own table of networks; the weights are read here, so that nothing else can be.
    name = str(config.get("architecture"))
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise EncoderError("config.json does not name one of timm's networks (architecture)")
    changes = {key: value for key, value in config.get("model_args", {}).items() if _is_plain(value)}
    module: torch.nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **changes)
    wanted = module.state_dict()
    given = {name: value for name, value in load_file(weights[0]).items() if name in wanted}
    module.load_state_dict(given)
    return module


def _is_plain(value: Any) -> bool:
    """Whether it is a number, or a list of them: what says how large a network is, and nothing to be looked up."""
    return isinstance(value, int | float) or (isinstance(value, list) and all(map(_is_plain, value)))
