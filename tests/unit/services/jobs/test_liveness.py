"""Who is alive: by silence anywhere, by process on this host."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from services.jobs.liveness import SILENCE, Heartbeat, beat, forget, heartbeats, is_alive, own_heartbeat
from tests.unit.services.jobs.conftest import Bench

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = socket.gethostname()


def heartbeat(worker: str, host: str, pid: int, silent: float = 0.0) -> Heartbeat:
    return Heartbeat(worker, host, pid, NOW - timedelta(hours=1), NOW - timedelta(seconds=silent))


def gone_pid() -> int:
    """The pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_another_host_is_judged_by_its_silence_alone() -> None:
    assert is_alive(heartbeat("it", "elsewhere", gone_pid(), silent=14), NOW, SILENCE)
    assert not is_alive(heartbeat("it", "elsewhere", os.getppid(), silent=16), NOW, SILENCE)


def test_a_process_that_is_gone_from_this_host_is_dead_at_once() -> None:
    assert not is_alive(heartbeat("it", HERE, gone_pid()), NOW, SILENCE)
    assert is_alive(heartbeat("it", HERE, os.getppid()), NOW, SILENCE)


def test_a_restarted_container_is_another_worker_with_the_same_pid() -> None:
    assert not is_alive(heartbeat("before", HERE, os.getpid()), NOW, SILENCE)


def test_every_process_start_is_a_worker_of_its_own() -> None:
    first, second = own_heartbeat(NOW), own_heartbeat(NOW)
    assert first.worker != second.worker
    assert (first.host, first.pid) == (HERE, os.getpid())


def test_living_workers_are_counted(bench: Bench) -> None:
    now = bench.clock.now()
    assert bench.jobs.workers() == 0
    with bench.database.write() as session:
        beat(session, Heartbeat("gone", HERE, gone_pid(), now, now), now)
        beat(session, Heartbeat("there", "elsewhere", 1, now, now), now)
    assert bench.jobs.workers() == 1
    bench.clock.advance(16)
    assert bench.jobs.workers() == 0


def test_heartbeats_are_kept_until_forgotten_and_come_back(bench: Bench) -> None:
    mine = own_heartbeat(NOW)
    with bench.database.write() as session:
        beat(session, mine, NOW)
    with bench.database.write() as session:
        beat(session, mine, NOW + timedelta(seconds=1))
        (kept,) = heartbeats(session)
        assert kept.beat_at == NOW + timedelta(seconds=1)
        forget(session, [mine.worker])
        assert heartbeats(session) == []
        beat(session, mine, NOW + timedelta(seconds=2))
        assert [one.worker for one in heartbeats(session)] == [mine.worker]
