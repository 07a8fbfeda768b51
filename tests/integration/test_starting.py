"""What `innerloop serve` refuses at the start, quickly and in words; and keys made beside it."""

import subprocess
from pathlib import Path

import httpx
import pytest

from tests.integration.server import Server, environment, free_port, innerloop


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        innerloop(*words), env=environment(**variables), capture_output=True, text=True, timeout=90
    )


def test_a_port_that_is_taken(server: Server, tmp_path: Path) -> None:
    ended = run("serve", "--port", str(server.port), "--data-dir", str(tmp_path / "other"))
    assert ended.returncode != 0
    assert f"port {server.port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_that_another_server_uses(server: Server) -> None:
    ended = run("serve", "--port", "0", "--data-dir", str(server.folder))
    assert ended.returncode != 0
    assert str(server.supervisor.pid) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert server.readiness() == 200


@pytest.mark.parametrize("command", [("serve",), ("api",)])
def test_listening_for_everybody_without_a_key(tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = run(
        *command, "--host", "0.0.0.0", "--port", str(free_port()), INNERLOOP_DATA_DIR=str(tmp_path / "data")
    )
    assert ended.returncode != 0
    assert ended.stderr.count("innerloop keys create") == 1
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("variable", ["INNERLOOP_ENGINE_MAX_BATCH", "INNERLOOP_WORKER_CONCURRENCY"])
def test_a_setting_that_a_child_would_refuse(tmp_path: Path, variable: str) -> None:
    ended = run("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), **{variable: "many"})
    assert ended.returncode != 0
    assert ended.stderr.count(variable) == 1
    assert not (tmp_path / "data").exists()


def test_a_faulty_setting(tmp_path: Path) -> None:
    ended = run("serve", "--data-dir", str(tmp_path / "data"), INNERLOOP_PORT="many")
    assert ended.returncode != 0
    assert "INNERLOOP_PORT" in ended.stderr.upper() or "port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_keys_are_made_listed_and_revoked_from_the_command_line(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    for words in (("list",), ("revoke", "key_nope")):
        nothing = run("keys", *words, "--data-dir", folder)
        assert nothing.returncode == 1
        assert nothing.stderr == f"innerloop: no Innerloop data in {folder}; use --data-dir\n"
    assert not Path(folder).exists()
    made = run("keys", "create", "--name", "ci", "--data-dir", folder)
    assert made.returncode == 0, made.stderr
    assert f"There is no service in {folder} yet" in made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("il_")
    listed = run("keys", "list", "--data-dir", folder)
    assert "ci" in listed.stdout
    assert secret not in listed.stdout
    key = listed.stdout.split()[0]
    assert run("keys", "revoke", key, "--data-dir", folder).returncode == 0
    assert "revoked" in run("keys", "list", "--data-dir", folder).stdout
    unknown = run("keys", "revoke", "key_nope", "--data-dir", folder)
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (1, False)


def test_a_process_is_checked_from_the_command_line(server: Server) -> None:
    folder = {"INNERLOOP_DATA_DIR": str(server.folder)}
    for process in (("api", "--port", str(server.port)), ("engine",), ("worker",)):
        ended = run("check", *process, **folder)
        assert ended.returncode == 0, ended.stderr
    absent = run("check", "api", "--port", str(free_port()), **folder)
    assert (absent.returncode, "Traceback" in absent.stderr) == (1, False)


def test_the_announcement_names_the_address(server: Server) -> None:
    lines = server.log.read_text().splitlines()
    url = f"http://127.0.0.1:{server.port}"
    assert f"Innerloop is ready at {url} (documentation: {url}/docs)" in lines
    assert httpx.get(f"{url}/docs").status_code == 200
