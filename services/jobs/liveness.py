"""Which workers are alive. Knows heartbeats and processes; not what is to be done about a death."""

import os
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.ids import new_token
from services.storage.tables import WorkerRow

SILENCE = timedelta(seconds=15)
"""A worker that gave no sign of life for this long is taken for dead."""


class Heartbeat(msgspec.Struct, frozen=True):
    """A worker's latest sign of life; `pid` means something on `host` alone."""

    worker: str
    host: str
    pid: int
    started_at: datetime
    beat_at: datetime


def own_heartbeat(now: datetime) -> Heartbeat:
    """The first one of this process; its worker id is new, for a process that restarts is another worker."""
    host, pid = socket.gethostname(), os.getpid()
    return Heartbeat(f"{host[:80]}-{pid}-{new_token()}", host, pid, now, now)


def beat(session: Session, heartbeat: Heartbeat, now: datetime) -> None:
    """Write the sign of life, also where another worker took this one for dead."""
    row = session.get(WorkerRow, heartbeat.worker)
    if row is None:
        row = WorkerRow(
            id=heartbeat.worker, host=heartbeat.host, pid=heartbeat.pid, started_at=heartbeat.started_at
        )
        session.add(row)
    row.beat_at = now


def heartbeats(session: Session) -> list[Heartbeat]:
    """The latest of every worker that is not forgotten."""
    rows = session.scalars(select(WorkerRow))
    return [Heartbeat(row.id, row.host, row.pid, row.started_at, row.beat_at) for row in rows]


def forget(session: Session, workers: Iterable[str]) -> None:
    """Drop the heartbeats of workers that left or died."""
    session.execute(delete(WorkerRow).where(WorkerRow.id.in_(list(workers))))


def is_alive(heartbeat: Heartbeat, now: datetime, silence: timedelta) -> bool:
    """Whether the worker still runs, as seen from this process, which is not it.

    Silence means death anywhere; on this host a process that is gone does at once. A pid that is our own is that
    of a container which was restarted: its main process has the same one every time.
    """
    if now - heartbeat.beat_at > silence:
        return False
    if heartbeat.host != socket.gethostname():
        return True
    return heartbeat.pid != os.getpid() and _exists(heartbeat.pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
