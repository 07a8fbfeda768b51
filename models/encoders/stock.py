"""Encoders loaded: each once, however many versions are built on it. Knows the shelf; nothing of versions."""

import torch

from models.encoders.encoder import Encoder
from models.encoders.folder import EncoderError
from models.encoders.shelf import EncoderShelf
from models.spec import EncoderSpec


class EncoderStock:
    """One a process and device. Not safe for several threads."""

    def __init__(self, shelf: EncoderShelf, device: torch.device) -> None:
        self._shelf = shelf
        self._device = device
        self._loaded: dict[str, Encoder] = {}

    def get(self, spec: EncoderSpec) -> Encoder:
        """The encoder that a spec names, loaded if it is not yet.

        Raises EncoderError where its files are not there, not those of the spec's digest, or cannot be loaded.
        """
        known = None if spec.sha256 is None else self._loaded.get(spec.sha256)
        if known is not None:
            return known
        resolved = self._shelf.resolved(spec)
        assert resolved.sha256 is not None
        loaded = self._loaded.get(resolved.sha256)
        if loaded is None:
            loaded = self._loaded[resolved.sha256] = self._load(resolved)
        return loaded

    def _load(self, spec: EncoderSpec) -> Encoder:
        files = self._shelf.files(spec.encoder)
        # Imported here: transformers takes seconds, timm brings torchvision.
        try:
            if files.modality == "text":
                from models.encoders.text import TextEncoder

                return TextEncoder(files, self._device)
            from models.encoders.image import ImageEncoder

            return ImageEncoder(files, self._device)
        except ImportError as error:
            extra = "encoders" if files.modality == "text" else "images"
            raise EncoderError(f"{files.modality} encoders need the extra `{extra}`: {error}") from error
        except Exception as error:  # whatever a foreign folder makes the library raise
            raise EncoderError(f"encoder {spec.encoder!r} cannot be loaded: {error}") from error
