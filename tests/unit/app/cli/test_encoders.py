"""`innerloop encoders`: what is copied in, what is refused, what is listed."""

import json

import pytest


@pytest.fixture
def source(tmp_path):
    """A folder that looks like an encoder's."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8, "max_position_embeddings": 64}))
    (folder / "vocab.txt").write_text("[UNK]")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.delenv("INNERLOOP_ENCODER_DIR", raising=False)
    return tmp_path / "data"


def test_a_folder_is_copied_and_listed(innerloop, source, data):
    assert "text" in innerloop("encoders", "pull", source, "--as", "owner/tiny", "--data-dir", data)
    assert (data / "encoders" / "owner" / "tiny" / "model.safetensors").read_bytes() == b"weights"
    assert "owner/tiny" in innerloop("encoders", "list", "--data-dir", data)
    assert "not replaced" in innerloop(
        "encoders", "pull", source, "--as", "owner/tiny", "--data-dir", data, status=1
    )


def test_what_is_not_taken_leaves_nothing(innerloop, source, data):
    (source / "model.safetensors").rename(source / "pytorch_model.bin")
    assert "only safetensors" in innerloop("encoders", "pull", source, "--data-dir", data, status=1)
    assert not [path for path in (data / "encoders").rglob("*") if path.is_file()]


def test_the_hub_is_asked_for_what_is_loaded_and_no_more(innerloop, source, data, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(name, revision, local_dir, allow_patterns):
        asked.append((name, revision, allow_patterns))
        local_dir.mkdir()
        for path in source.iterdir():
            (local_dir / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(hub, "snapshot_download", download)
    innerloop("encoders", "pull", "owner/tiny", "--revision", "abc", "--data-dir", data)
    ((name, revision, patterns),) = asked
    assert (name, revision) == ("owner/tiny", "abc")
    assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in patterns)
    assert "owner/tiny" in innerloop("encoders", "list", "--data-dir", data)


@pytest.mark.parametrize("name", ["../up", "a/b/c"])
def test_names_lead_nowhere_else(innerloop, source, data, name):
    assert "an encoder is called" in innerloop(
        "encoders", "pull", source, "--as", name, "--data-dir", data, status=1
    )


def test_a_hub_that_cannot_be_reached_is_told_with_a_way_round_it(innerloop, data, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def download(*_, **__):
        raise hub.errors.LocalEntryNotFoundError("no connection\nat all")

    monkeypatch.setattr(hub, "snapshot_download", download)
    said = innerloop("encoders", "pull", "owner/tiny", "--data-dir", data, status=1)
    assert "owner/tiny could not be fetched from the hub: no connection at all" in said
    assert "innerloop encoders pull FOLDER --as NAME" in said
