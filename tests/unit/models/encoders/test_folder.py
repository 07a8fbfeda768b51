"""What is taken for an encoder's folder, and what is refused before anything of it is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from models.encoders.folder import EncoderError, is_encoder_name, read_folder
from models.encoders.shelf import EncoderShelf
from models.spec import EncoderSpec

BERT = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64}
TIMM = {"architecture": "vit", "num_features": 8, "pretrained_cfg": {"input_size": [3, 32, 32]}}


def write(folder: Path, config: object = BERT, weights: str = "model.safetensors") -> Path:
    """A folder that looks like an encoder's; its weights are no weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("[UNK]")
    (folder / weights).write_bytes(b"weights")
    return folder


def pool(folder: Path, **modes: bool) -> None:
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))


def test_texts_and_images_are_told_apart(tmp_path: Path) -> None:
    text, image = read_folder(write(tmp_path / "a")), read_folder(write(tmp_path / "b", TIMM))
    assert (text.modality, text.width, text.tokens, text.pooling) == ("text", 8, 64, "mean")
    assert (image.modality, image.width, image.side) == ("image", 8, 32)


def test_pooling_and_length_are_those_of_sentence_transformers(tmp_path: Path) -> None:
    pool(write(tmp_path), pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 24}')
    found = read_folder(tmp_path)
    assert (found.pooling, found.tokens) == ("cls", 24)


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _with_a_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def _with_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _with_code(folder: Path) -> None:
    (folder / "modeling_own.py").write_text("raise SystemExit")


def _with_map(folder: Path) -> None:
    write(folder, {**BERT, "auto_map": {"AutoModel": "modeling_own.Own"}})


def _with_tokenizer_map(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["own.Own", null]}}')


def _with_own_module(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"type": "own.Module", "path": ""}]')


def _with_dense(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense", "path": "2"}]')


def _with_a_way_out(folder: Path) -> None:
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Pooling", "path": "../x"}]')


def _with_two_poolings(folder: Path) -> None:
    pool(folder, pooling_mode_cls_token=True, pooling_mode_mean_tokens=True)


def _without_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").unlink()


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _with_damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _without_width(folder: Path) -> None:
    write(folder, {"model_type": "bert"})


def _with_grey_images(folder: Path) -> None:
    write(folder, {**TIMM, "pretrained_cfg": {"input_size": [1, 32, 32]}})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without_weights, "no weights"),
        (_with_a_pointer, "pointer of Git LFS, not the weights: run `git lfs pull`"),
        (_with_pickle, "only safetensors"),
        (_with_code, "never run"),
        (_with_map, "auto_map"),
        (_with_tokenizer_map, "tokenizer_config.json names Python code"),
        (_with_own_module, "'own.Module', Python code"),
        (_with_dense, "'Dense'"),
        (_with_a_way_out, "no folder beside it"),
        (_with_two_poolings, "only one pooling"),
        (_without_tokenizer, "no tokenizer"),
        (_without_config, "no config.json"),
        (_with_damaged_config, "cannot be read"),
        (_without_width, "hidden_size"),
        (_with_grey_images, "square colour"),
    ],
)
def test_what_is_not_taken_says_why(tmp_path: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(write(tmp_path))
    with pytest.raises(EncoderError, match=words):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["tiny", "owner/tiny", "all-MiniLM-L6-v2", "a/b.c_d-1"])
def test_names_of_the_hub_are_names(name: str) -> None:
    assert is_encoder_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../b", "/a", "a/b/c", "a\\b", "a/", "a\n", ".a", "a b"]
)
def test_ways_out_of_the_folder_are_none(name: str, tmp_path: Path) -> None:
    assert not is_encoder_name(name)
    with pytest.raises(EncoderError):
        EncoderShelf(tmp_path).files(name)


def test_a_shelf_knows_names_digests_and_widths(tmp_path: Path) -> None:
    write(tmp_path / "tiny")
    write(tmp_path / "owner" / "other", {**BERT, "hidden_size": 16})
    shelf = EncoderShelf(tmp_path)
    assert shelf.names() == ["owner/other", "tiny"]
    resolved = shelf.resolved(EncoderSpec(encoder="owner/other"))
    assert (resolved.width, len(resolved.sha256 or "")) == (16, 64)
    assert shelf.resolved(resolved) == resolved
    (tmp_path / "owner" / "other" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(EncoderError, match="not the one that was meant"):
        shelf.resolved(resolved)
    with pytest.raises(EncoderError, match="there are: owner/other, tiny"):
        shelf.files("missing")
    with pytest.raises(EncoderError, match="no folder of encoders"):
        EncoderShelf(None).files("tiny")


def test_a_folder_within_an_encoders_is_a_part_of_it_and_none_of_its_own(tmp_path: Path) -> None:
    pool(write(tmp_path / "plain"), pooling_mode_mean_tokens=True)
    write(tmp_path / "owner" / "tiny")
    assert EncoderShelf(tmp_path).names() == ["owner/tiny", "plain"]


def test_an_encoder_that_is_not_there_is_told_with_what_puts_it_there(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="innerloop encoders pull owner/none"):
        EncoderShelf(tmp_path).files("owner/none")
