"""A pretrained encoder's folder, looked at before anything in it is loaded. Reads files; imports no torch.

A folder is what the hub serves of one model: `config.json`, weights as safetensors, for texts a tokenizer. Weights
that are pickles, and folders that bring their own Python, are refused: loading either would run somebody's code.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from models.spec.networks import ENCODER_NAME

Modality = Literal["text", "image"]
Pooling = Literal["mean", "cls", "max"]

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "vocab.json")
_MODULES = "sentence_transformers"
_POOLING: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
_LFS_POINTER = b"version https://git-lfs"
_LARGEST_JSON = 1 << 20
_CHUNK = 1 << 20


class EncoderError(ValueError):
    """A folder that is no encoder, or one that is not taken."""


class EncoderFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder says of its encoder. `width` is F, the numbers of one example's features.

    Of texts: `tokens` is the most that it reads of one, `pooling` how their features become the text's. Of images:
    `side` is their height and width.
    """

    folder: Path
    modality: Modality
    width: int
    tokens: int = 0
    pooling: Pooling = "mean"
    side: int = 0

    def sha256(self) -> str:
        """The digest of all that loading reads, names and bytes: weights, configuration, tokenizer."""
        digest = hashlib.sha256()
        for path in sorted(_read_files(self.folder)):
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        return digest.hexdigest()


def is_encoder_name(name: str) -> bool:
    """Whether an encoder may be called this: `name` or `owner/name`, as on the hub; never a way out of a folder."""
    return re.fullmatch(ENCODER_NAME, name) is not None and "\n" not in name


def read_folder(folder: Path) -> EncoderFiles:
    """What the folder holds. Raises EncoderError, saying what is wrong with it and what would do."""
    if not folder.is_dir():
        raise EncoderError(f"there is no folder {folder.name!r}")
    _refuse_code(folder)
    config = _json(folder / "config.json")
    tokenizer = _json_if_there(folder / "tokenizer_config.json")
    for name, found in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        if "auto_map" in found:
            raise EncoderError(
                f"{name} names Python code of its own (auto_map), which is never run: take an encoder of an "
                "architecture that transformers has itself"
            )
    _check_weights(folder)
    if "pretrained_cfg" in config:
        return _image(folder, config)
    return _text(folder, config)


def _text(folder: Path, config: dict[str, Any]) -> EncoderFiles:
    width = config.get("hidden_size", config.get("dim", config.get("d_model")))
    if not isinstance(width, int) or width < 1:
        raise EncoderError("config.json does not say how wide the features are (hidden_size)")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise EncoderError(f"there is no tokenizer: one of {', '.join(_TOKENIZERS)}")
    tokens = config.get("max_position_embeddings", 512)
    tokens = _json_if_there(folder / "sentence_bert_config.json").get("max_seq_length") or tokens
    if not isinstance(tokens, int) or tokens < 3:
        raise EncoderError(
            "the longest text, max_seq_length or max_position_embeddings, is not a number of tokens"
        )
    return EncoderFiles(
        folder=folder, modality="text", width=width, tokens=min(tokens, 512), pooling=_pooling(folder)
    )


def _pooling(folder: Path) -> Pooling:
    """How sentence-transformers pools, where it made the folder; else the mean."""
    if not (folder / "modules.json").is_file():
        return "mean"
    modules = _load(folder / "modules.json")
    if not isinstance(modules, list):
        raise EncoderError("modules.json is not a list of modules")
    pooling: Pooling = "mean"
    for module in modules:
        kind = str(module.get("type", "")) if isinstance(module, dict) else ""
        package, _, name = kind.partition(".")[0], "", kind.rpartition(".")[2]
        if package != _MODULES:
            raise EncoderError(f"modules.json names the module {kind!r}, Python code that is never run")
        if name == "Pooling":
            pooling = _pooling_of(folder, str(module.get("path", "")))
        elif name not in ("Transformer", "Normalize"):
            raise EncoderError(
                f"modules.json has a module {name!r}; encoders of Transformer, Pooling and Normalize are taken"
            )
    return pooling


def _pooling_of(folder: Path, path: str) -> Pooling:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path):
        raise EncoderError(f"modules.json names a path {path!r} that is no folder beside it")
    config = _json(folder / path / "config.json")
    named = config.get("pooling_mode")
    if isinstance(named, str):
        chosen: list[Pooling] = [mode for mode in _POOLING.values() if mode == named]
    else:
        chosen = [mode for key, mode in _POOLING.items() if config.get(key)]
    others = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    if len(chosen) != 1 or len(others) > 1:
        raise EncoderError("only one pooling is taken, of mean, cls and max")
    return chosen[0]


def _image(folder: Path, config: dict[str, Any]) -> EncoderFiles:
    """As timm writes it."""
    width, pretrained = config.get("num_features"), config["pretrained_cfg"]
    size = pretrained.get("input_size") if isinstance(pretrained, dict) else None
    if not isinstance(width, int) or width < 1:
        raise EncoderError("config.json does not say how wide the features are (num_features)")
    if not isinstance(size, list) or len(size) != 3 or size[0] != 3 or size[1] != size[2]:
        raise EncoderError(
            "an image encoder takes square colour images: input_size [3, side, side] in pretrained_cfg of "
            f"config.json, not {size}"
        )
    return EncoderFiles(folder=folder, modality="image", width=width, side=size[1])


def _refuse_code(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_file():
            raise EncoderError(f"{path.name} is a link that leads to no file")
        if path.suffix == ".py":
            raise EncoderError(
                f"{path.name} is Python code of the model's own, which is never run: leave it out, if the encoder "
                "is of an architecture that transformers has itself"
            )


def _check_weights(folder: Path) -> None:
    weights = sorted(folder.glob("*.safetensors"))
    for path in weights:
        with path.open("rb") as file:
            if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise EncoderError(
                    f"{path.name} is a pointer of Git LFS, not the weights: run `git lfs pull` where it is from"
                )
    if weights:
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise EncoderError(
            f"the weights are {pickles[0]}, whose format can run code when it is read: only safetensors are "
            "loaded; convert them where they come from, or take a revision that has model.safetensors"
        )
    raise EncoderError("there are no weights: model.safetensors is missing; fetch the whole encoder again")


def _read_files(folder: Path) -> list[Path]:
    taken = [
        *folder.glob("*.safetensors"),
        *folder.rglob("*.json"),
        *folder.glob("*.txt"),
        *folder.glob("*.model"),
    ]
    return [path for path in taken if path.is_file()]


def _json_if_there(path: Path) -> dict[str, Any]:
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise EncoderError(f"there is no {path.name}: this is no folder of an encoder as the hub serves it")
    found = _load(path)
    if not isinstance(found, dict):
        raise EncoderError(f"{path.name} is not a JSON object")
    return found


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise EncoderError(f"{path.name} is larger than any configuration")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{path.name} cannot be read: {error}") from error
