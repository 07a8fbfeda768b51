"""A pretrained image encoder: images in, one vector each out. Knows timm; nothing of learners and tasks."""

import json
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.encoders.folder import EncoderError, EncoderFiles

_PASS_IMAGES = 32


class ImageEncoder:
    """A timm network without its classifier; features of length one. It is loaded once and never changes."""

    def __init__(self, files: EncoderFiles, device: torch.device) -> None:
        """Raises EncoderError, OSError or RuntimeError where the folder's files do not fit together."""
        # Imported here: it brings torchvision, which takes seconds.
        import timm
        from safetensors.torch import load_file

        config = json.loads((files.folder / "config.json").read_bytes())
        weights = sorted(files.folder.glob("*.safetensors"))
        if len(weights) != 1:
            raise EncoderError("an image encoder has one file of weights")
        # By name from timm's own table of networks; the weights are read here, so that nothing else can be.
        name = str(config.get("architecture"))
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise EncoderError("config.json does not name one of timm's networks (architecture)")
        changes = {key: value for key, value in config.get("model_args", {}).items() if _is_plain(value)}
        module = timm.create_model(name, pretrained=False, num_classes=0, **changes)
        wanted = module.state_dict()
        given = {name: value for name, value in load_file(weights[0]).items() if name in wanted}
        module.load_state_dict(given)
        cfg = config["pretrained_cfg"]
        self.width = files.width
        self.side = files.side
        self._device = device
        self._mean, self._std = (
            torch.tensor(cfg.get(name, [0.5] * 3), device=device).view(3, 1, 1) for name in ("mean", "std")
        )
        # Evaluation: batch norms use what they learned, never the batch.
        self.module: torch.nn.Module = module.eval().requires_grad_(False).to(device)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in self.module.parameters())

    def encode(self, images: Tensor, before_each_pass: Callable[[int], None] = lambda _done: None) -> Tensor:
        """Features float32 [E, F] on the CPU of images [E, C, H, W] in 0..1, grey or colour, of any size."""
        features = torch.empty(len(images), self.width)
        for start in range(0, len(images), _PASS_IMAGES):
            before_each_pass(start)
            piece = images[start : start + _PASS_IMAGES].to(self._device)
            piece = piece.expand(-1, 3, -1, -1)
            size = (self.side, self.side)
            piece = torch.nn.functional.interpolate(piece, size, mode="bicubic", antialias=True).clamp(0, 1)
            with torch.no_grad():
                found = self.module((piece - self._mean) / self._std)
            features[start : start + len(piece)] = torch.nn.functional.normalize(found, dim=-1).cpu()
        return features


def _is_plain(value: Any) -> bool:
    """Whether it is a number, or a list of them: what says how large a network is, and nothing to be looked up."""
    return isinstance(value, int | float) or (isinstance(value, list) and all(map(_is_plain, value)))
