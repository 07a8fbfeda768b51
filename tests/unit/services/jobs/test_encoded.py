"""Features of a dataset are kept on disk, by whichever jobs make them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoders.shelf import EncoderShelf
from services.jobs.encoded import FeatureFolder


def _folder(path: Path) -> FeatureFolder:
    return FeatureFolder(path / "features", EncoderShelf(path / "encoders"))


def test_two_jobs_may_write_the_same_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.arange(6, dtype=np.float32).reshape(2, 3)
    path, save = tmp_path / "features" / "f.npy", np.save

    def save_while_another_does(file: Any, *given: Any, **more: Any) -> None:
        monkeypatch.setattr(np, "save", save)
        _folder(tmp_path)._write(path, features)
        save(file, *given, **more)

    monkeypatch.setattr(np, "save", save_while_another_does)
    _folder(tmp_path)._write(path, features)
    assert np.load(path).tolist() == features.tolist()
    assert [file.name for file in path.parent.iterdir()] == ["f.npy"]


def test_features_that_could_not_be_written_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space"):
        _folder(tmp_path)._write(tmp_path / "features" / "f.npy", np.zeros((1, 1), np.float32))
    assert list((tmp_path / "features").iterdir()) == []
