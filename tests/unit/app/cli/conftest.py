import pytest

from app.cli.main import main
from tests.fake_service import fake_service


@pytest.fixture
def service():
    with fake_service() as running:
        yield running


@pytest.fixture
def innerloop(service, capsys, monkeypatch):
    """Runs a command against the fake service; gives its stdout, or its last error line where it failed."""
    monkeypatch.setenv("INNERLOOP_URL", service.url)

    def run(*arguments, status=0):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert ended.value.code == status, printed.err
        return printed.out if status == 0 else printed.err

    return run
