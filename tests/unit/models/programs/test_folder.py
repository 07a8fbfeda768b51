"""The folder of programs: notes that survive, damage that does no harm, and a compiler that fails out loud."""

import time
from pathlib import Path

import pytest

from models.programs import folder as folder_module
from models.programs.folder import Notes, ProgramFolder
from models.training.compile_program import COMPILER


def test_notes_are_kept_and_damage_is_no_notes(tmp_path: Path) -> None:
    folder = ProgramFolder(tmp_path / "compiled", COMPILER)
    assert folder.notes("k") == Notes()
    folder.note("k", Notes(eager="loop", eager_seconds=3.5, verdict="slower"))
    assert ProgramFolder(tmp_path / "compiled", COMPILER).notes("k") == Notes(
        eager="loop", eager_seconds=3.5, verdict="slower"
    )
    (tmp_path / "compiled" / "k.json").write_bytes(b"{")
    assert folder.notes("k") == Notes()


def test_a_folder_that_cannot_be_written_is_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = ProgramFolder(tmp_path / "file", COMPILER)
    folder.note("k", Notes())
    folder.compile("k", b"{}")
    assert "not kept" in caplog.text
    assert "not begun" in caplog.text
    assert folder.failure("k") is None


@pytest.fixture
def folder(tmp_path: Path) -> ProgramFolder:
    return ProgramFolder(tmp_path, COMPILER)


def test_a_compiler_that_fails_says_why_and_leaves_nothing(folder: ProgramFolder) -> None:
    folder.compile("k", b'{"no": "request"}')
    folder.compile("other", b"{}")  # no more than one at a time
    deadline = time.monotonic() + 120
    while (failure := folder.failure("k")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "ValidationError" in failure
    assert (folder.failure("k"), folder.failure("other")) == (None, None)
    assert folder.program("k") is None
    assert {path.name for path in folder.folder.iterdir()} == {"compile.log", "k.lock"}
    folder.close()


def test_a_compiler_ends_with_whoever_wanted_it(folder: ProgramFolder) -> None:
    folder.compile("k", b"{}")
    compiling = folder._compiling
    assert compiling is not None
    folder.close()
    assert compiling.returncode is not None


def test_the_programs_unused_for_longest_leave(
    folder: ProgramFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr(folder_module, "KEPT", 2)
    for age, key in enumerate("abcd"):
        (folder.folder / f"{key}.pt2").write_bytes(b"")
        os.utime(folder.folder / f"{key}.pt2", (1000 - age, 1000 - age))
    folder._prune()
    assert [folder.program(key) is not None for key in "abcd"] == [True, True, False, False]
