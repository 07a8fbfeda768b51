"""Where the engine listens when nobody says."""

import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.engine.settings import EngineSettings


def test_the_socket_lies_in_the_data_folder(tmp_path: Path) -> None:
    folder = Path("/srv/innerloop")
    assert EngineSettings(data_dir=folder).address == "ipc:///srv/innerloop/engine.sock"


def test_a_deep_folder_gets_a_short_socket_path_of_its_own() -> None:
    deep = Path("/srv") / ("d" * 120)
    addresses = {EngineSettings(data_dir=deep / name).address for name in "ab"}
    assert len(addresses) == 2
    for address in addresses:
        assert address.startswith(f"ipc://{tempfile.gettempdir()}/innerloop-")
        assert len(address.removeprefix("ipc://")) <= 107
    assert EngineSettings(data_dir=deep / "a").address in addresses


def test_an_address_given_is_taken() -> None:
    assert EngineSettings(engine_address="tcp://engine:7070").address == "tcp://engine:7070"
    assert EngineSettings(engine_address="").address == EngineSettings().address


def test_an_address_that_nobody_could_look_up_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="no address"):
        EngineSettings(engine_address="tcp://engine..example:7070")
