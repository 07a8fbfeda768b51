"""A dataset's examples as an encoder's features: computed once, kept on disk. Imports torch late; knows no row.

The folder holds nothing that cannot be made again, and may be emptied at any time.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from models.encoders.folder import EncoderError
from models.encoders.shelf import EncoderShelf
from models.spec import EncoderSpec
from services.datasets.records import LabelledArrays
from services.jobs.failures import Unsuitable

if TYPE_CHECKING:
    import torch

    from models.encoders.encoder import Encoder
    from models.encoders.stock import EncoderStock

Array = np.ndarray[Any, Any]

_MOST_BYTES = 4 << 30

# Meta-training pads every text to the length that is enough for this share of them.
TOKENS_SHARE = 0.98


class FeatureFolder:
    """Features by dataset and encoder."""

    def __init__(self, folder: Path, shelf: EncoderShelf, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._shelf = shelf
        self._most_bytes = most_bytes
        self._stocks: dict[str, EncoderStock] = {}

    def features(
        self,
        dataset_id: str,
        arrays: LabelledArrays,
        spec: EncoderSpec,
        device: "torch.device",
        tell: Callable[[int], None],
    ) -> Array:
        """Float32 [n, F]; `tell` hears how many are done before each pass, and may raise to break off.

        Raises Unsuitable where the encoder is not there or not the one that the job was submitted for.
        """
        name = hashlib.sha256(f"{dataset_id} {spec.sha256}".encode()).hexdigest()
        path = self._folder / f"{name}.npy"
        kept = self._read(path, len(arrays.inputs), spec)
        if kept is not None:
            return kept
        features: Array = self.encoder(spec, device).encode(_examples(arrays), tell).numpy()
        self._write(path, features)
        return features

    def encoder(self, spec: EncoderSpec, device: "torch.device") -> "Encoder":
        """The encoder itself. Raises Unsuitable as `features` does."""
        # Importing torch takes seconds, and transformers as many again.
        from models.encoders.stock import EncoderStock

        stock = self._stocks.setdefault(device.type, EncoderStock(self._shelf, device))
        try:
            return stock.get(spec)
        except EncoderError as error:
            raise Unsuitable(str(error)) from error

    def names(
        self, names: Sequence[str], spec: EncoderSpec, device: "torch.device", tell: Callable[[int], None]
    ) -> Array:
        """Float32 [N, F] of so many texts, which are few and not kept; otherwise as `features`."""
        features: Array = self.encoder(spec, device).encode(names, tell).numpy()
        return features

    def tokens(
        self, arrays: LabelledArrays, spec: EncoderSpec, device: "torch.device", names: Sequence[str] = ()
    ) -> tuple[Array, Array]:
        """Float32 [n, L] and of `names` [N, L], what an encoder that is tuned learns from. Raises Unsuitable."""
        from models.encoders.text import TextEncoder

        encoder = self.encoder(spec, device)
        if not isinstance(encoder, TextEncoder):
            raise Unsuitable("the dataset holds texts, and this is no encoder of texts")
        texts = arrays.inputs.tolist()
        tokens: Array = encoder.tokens_of([*texts, *names], TOKENS_SHARE).numpy()
        return tokens[: len(texts)], tokens[len(texts) :]

    def _read(self, path: Path, examples: int, spec: EncoderSpec) -> Array | None:
        try:
            features: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError):
            return None
        return features if features.shape == (examples, spec.width) else None

    def _write(self, path: Path, features: Array) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A name of its own: another job may be writing the same features.
        with NamedTemporaryFile(dir=self._folder, suffix=".writing", delete=False) as file:
            written = Path(file.name)
            try:
                np.save(file, features, allow_pickle=False)
            except BaseException:
                written.unlink()
                raise
        written.replace(path)
        files = sorted(self._folder.glob("*.npy"), key=lambda one: one.stat().st_mtime, reverse=True)
        total = 0
        for one in files:
            total += one.stat().st_size
            if total > self._most_bytes and one != path:
                one.unlink(missing_ok=True)


def _examples(arrays: LabelledArrays) -> Any:
    """Texts as they are; images as tensors, channels first."""
    if arrays.is_text:
        return arrays.inputs.tolist()
    from models.tasks.labelled_data import LabelledData

    data = LabelledData.from_arrays(arrays.inputs, arrays.targets)
    return data.inputs.float() / 255 if arrays.inputs.dtype == np.uint8 else data.inputs
