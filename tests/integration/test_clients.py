"""SDK and command line against the real processes."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from innerloop import Client, JobCancelled
from tests.integration.server import Server, environment, innerloop
from tests.integration.use import small_job

SMALL = small_job("by-sdk")


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{server.port}") as connected:
        yield connected


def command(server: Server, *words: str, status: int = 0) -> str:
    """What `innerloop …` prints against that server, its standard error where it fails."""
    url = {"INNERLOOP_URL": f"http://127.0.0.1:{server.port}"}
    finished = subprocess.run(
        innerloop(*words), env=environment(**url), capture_output=True, text=True, check=False, timeout=150
    )
    assert finished.returncode == status, finished.stderr
    return finished.stdout if status == 0 else finished.stderr


def test_a_job_is_waited_for_and_its_model_used(client: Client) -> None:
    seen = []
    job = client.train("by-sdk", SMALL["recipe"], SMALL["overrides"], alias="champion")
    watcher = threading.Thread(target=lambda: seen.extend(event.type for event in job.events()), daemon=True)
    watcher.start()
    assert job.wait(progress=False, timeout=150).result is not None
    watcher.join(30)
    assert seen[0] == seen[-1] == "status"
    assert "metric" in seen
    adaptation = client.adapt("by-sdk@champion", [1, 2, 3, 4], [2, 4, 6, 8])
    assert len(adaptation.predict([5, 6]).values) == 2


def test_a_wait_outlives_the_api(server: Server, client: Client) -> None:
    job = client.train("by-sdk", "sinusoid-maml", {"training": {"iterations": 1_000_000}})
    seen: list[str] = []
    events = job.events()
    seen.append(next(events).type)
    server.kill("api")
    server.wait_until_ready()
    while "progress" not in seen:
        seen.append(next(events).type)
    job.cancel()
    with pytest.raises(JobCancelled):
        job.wait(progress=False, timeout=60)
    assert [event.type for event in events][-1] == "status"


def test_the_command_line_trains_adapts_and_predicts(server: Server, tmp_path: Path) -> None:
    config = tmp_path / "job.json"
    config.write_text(json.dumps({**SMALL, "model": "by-cli"}))
    trained = json.loads(command(server, "train", "--config", str(config), "--json"))
    assert trained["result"] == {"model": "by-cli", "version": 1}
    adapted = json.loads(command(server, "adapt", "by-cli", "--x", "1,2,3,4", "--y", "2,4,6,8", "--json"))
    predicted = json.loads(command(server, "predict", adapted["id"], "--x", "5,6", "--json"))
    assert len(predicted) == 2
    assert "champion=1" in command(server, "models", "list")
    assert "404" in command(server, "predict", "adp_0", "--x", "1", status=1)
