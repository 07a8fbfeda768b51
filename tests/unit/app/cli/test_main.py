"""The command line as a whole: quick to start, every command in its place, errors in one line."""

import subprocess
import sys

import pytest

from app.cli.main import COMMANDS, load, main
from tests.fake_service import fake_service

# Not pydantic: typer itself imports it for a command that has parameters.
HEAVY = {"httpx", "numpy", "torch", "sqlalchemy", "fastapi", "uvicorn", "msgspec", "matplotlib", "dbos"}


def run(arguments, capsys):
    """Exit status, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["adapt", "--help"], ["models", "--help"]]
)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from app.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        f"found = {HEAVY!r} & set(sys.modules)\n"
        "assert not found, found"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    assert "Usage" in finished.stdout


def test_help_lists_every_command(capsys):
    status, printed, _ = run(["--help"], capsys)
    assert status == 0
    for name in COMMANDS:
        assert f" {name} " in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name, capsys):
    assert load(name).name == name
    status, printed, _ = run([name, "--help"], capsys)
    assert status == 0
    assert f"innerloop {name}" in printed


def test_help_tells_the_defaults_that_the_settings_have(capsys):
    # rich takes what stands in square brackets for markup, and leaves it out.
    _, printed, _ = run(["serve", "--help"], capsys)
    for default in ("127.0.0.1", "8000", "./data"):
        assert default in printed


def test_a_misspelt_command_is_guessed(capsys):
    status, _, errors = run(["modles"], capsys)
    assert status == 2
    assert "Did you mean 'models'" in errors


def test_the_version_is_the_package_s(capsys):
    status, printed, _ = run(["--version"], capsys)
    assert status == 0
    assert printed[0].isdigit()


def test_a_service_that_is_not_there_is_one_line(capsys):
    with fake_service() as service:
        gone = service.url
    status, printed, errors = run(["recipes", "--url", gone], capsys)
    assert status == 1
    assert not printed
    assert errors.startswith(f"innerloop: cannot reach {gone}")
    assert errors.endswith("name another with --url or INNERLOOP_URL\n")
    assert errors.count("\n") == 1


def test_an_error_of_the_service_is_one_line(capsys):
    with fake_service() as service:
        status, _, errors = run(["jobs", "show", "job_9", "--url", service.url], capsys)
    assert status == 1
    assert errors == "innerloop: 404 no answer for /v1/jobs/job_9\n"


def test_a_missing_file_is_one_line(capsys, tmp_path):
    arguments = ["adapt", "functions", "--file", str(tmp_path / "none.csv"), "--url", "http://127.0.0.1:1"]
    status, _, errors = run(arguments, capsys)
    assert status == 1
    assert errors.count("\n") == 1
    assert "none.csv" in errors


def test_defects_are_not_hidden(monkeypatch):
    import app.cli.recipes

    def broken(url):
        raise ZeroDivisionError

    monkeypatch.setattr(app.cli.recipes, "connect", broken)
    with pytest.raises(ZeroDivisionError):
        main(["recipes"])
