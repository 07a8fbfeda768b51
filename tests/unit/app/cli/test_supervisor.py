"""The supervisor on small processes: it restarts what dies, gives up on what cannot run, and ends all in order."""

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.supervisor import MISCONFIGURED, Service, Supervisor

# Holds its lifeline as our processes do, then notes that it runs, and when it was told to end.
CHILD = """
import os, signal, sys, time
from app.cli.lifeline import Lifeline
name, notes, behaviour, fd = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[-1])
def note(what):
    with open(notes, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
Lifeline(fd, 1.0).hold()
def told(*_):
    note("told")
    if behaviour != "stubborn":
        note("ended")
        os._exit(0)
signal.signal(signal.SIGTERM, told)
note("runs")
if behaviour == "misconfigured":
    sys.exit(78)
if behaviour == "fails":
    sys.exit(3)
if behaviour == "done":
    sys.exit(0)
while True:
    time.sleep(0.01)
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def command(notes: Path, name: str, behaviour: str = "runs") -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(CHILD), name, str(notes), behaviour]


def events(notes: Path) -> list[tuple[str, str]]:
    """(name, what) in the order in which it happened."""
    return [(line.split()[0], line.split()[1]) for line in notes.read_text().splitlines()]


def pids(notes: Path, name: str) -> list[int]:
    return [
        int(line.split()[2]) for line in notes.read_text().splitlines() if line.startswith(f"{name} runs")
    ]


def run(notes: Path, services: list[Service], *, prepare: str = "done", on_tick: object = None) -> int:
    supervisor = Supervisor(services, dict(os.environ))
    ending = [[service.name] for service in services]
    return supervisor.run(command(notes, "prepare", prepare), on_tick or stop, ending)  # type: ignore[arg-type]


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_services_wait_for_the_preparation_and_end_in_order(notes: Path) -> None:
    services = [Service(name, command(notes, name)) for name in ("first", "second")]

    def both_run() -> None:
        if pids(notes, "first") and pids(notes, "second"):
            stop()

    assert run(notes, services, on_tick=both_run) == 0
    happened = events(notes)
    assert happened[0] == ("prepare", "runs")
    assert happened[-4:] == [("first", "told"), ("first", "ended"), ("second", "told"), ("second", "ended")]


def test_what_dies_is_started_again(notes: Path) -> None:
    def kill_then_stop() -> None:
        found = pids(notes, "mortal")
        if len(found) == 1:
            try:
                os.kill(found[0], signal.SIGKILL)
            except ProcessLookupError:
                return
        if len(found) == 2:
            stop()

    assert run(notes, [Service("mortal", command(notes, "mortal"))], on_tick=kill_then_stop) == 0
    assert len(set(pids(notes, "mortal"))) == 2


def test_a_service_that_cannot_run_ends_everything_with_its_status(notes: Path) -> None:
    services = [
        Service("good", command(notes, "good")),
        Service("bad", command(notes, "bad", "misconfigured")),
    ]
    assert run(notes, services, on_tick=lambda: None) == MISCONFIGURED
    assert len(pids(notes, "bad")) == 1


def test_a_preparation_that_fails_ends_everything_with_its_status(notes: Path) -> None:
    assert run(notes, [Service("waits", command(notes, "waits"))], prepare="fails") == 3
    assert pids(notes, "waits") == []


def test_what_does_not_end_in_time_is_killed(notes: Path) -> None:
    stubborn = Service("stubborn", command(notes, "stubborn", "stubborn"), patience_seconds=0.2)

    def once_it_runs() -> None:
        if pids(notes, "stubborn"):
            stop()

    assert run(notes, [stubborn], on_tick=once_it_runs) == 0
    assert ("stubborn", "told") in events(notes)
    assert ("stubborn", "ended") not in events(notes)
    with pytest.raises(ProcessLookupError):
        os.kill(pids(notes, "stubborn")[0], 0)


def test_a_second_signal_ends_the_patience(notes: Path) -> None:
    stubborn = Service("stubborn", command(notes, "stubborn", "stubborn"), patience_seconds=3600)
    supervisor = Supervisor([stubborn], dict(os.environ))

    def once_it_runs() -> None:
        if pids(notes, "stubborn"):
            # The alarm comes while the supervisor waits for the process to end.
            signal.signal(signal.SIGALRM, lambda *_: stop())
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            stop()

    assert supervisor.run(command(notes, "prepare", "done"), once_it_runs, [["stubborn"]]) == 0
    assert ("stubborn", "ended") not in events(notes)
