"""Keeps processes running: starts them, restarts those that die, ends them in order. Knows no HTTP and no torch."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from app.cli.lifeline import Tethered

logger = logging.getLogger(__name__)

MISCONFIGURED = 78
"""The exit status (EX_CONFIG) of a process that another start would not help."""

_TICK_SECONDS = 0.05
_FIRST_BACKOFF_SECONDS = 0.2
_LONGEST_BACKOFF_SECONDS = 10.0
_SETTLED_SECONDS = 30.0


@dataclass
class Service:
    """One process that has to run: how to start it, and how that went so far."""

    name: str
    command: Sequence[str]
    inherit: Sequence[int] = ()
    patience_seconds: float = 5.0
    """How long it may take to end when asked."""
    running: Tethered | None = None
    backoff: float = _FIRST_BACKOFF_SECONDS
    start_at: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs services until it is told to stop, or one of them cannot run at all."""

    def __init__(self, services: Sequence[Service], environment: dict[str, str]) -> None:
        """`environment` is what every one of them is started with."""
        self._services = services
        self._environment = environment
        self._signals = 0
        self._going = False

    def run(
        self, prepare: Sequence[str], on_tick: Callable[[], None], ending: Sequence[Sequence[str]]
    ) -> int:
        """Start everything, run `prepare` to its end, let everything go, and watch; returns the exit status.

        `prepare` is a command that has to succeed first. `on_tick` is called a few times a second. `ending`
        names, step by step, what is ended together.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        try:
            status = self._prepare(prepare)
            if status == 0:
                self._going = True
                for service in self._services:
                    if service.running is not None:
                        service.running.go()
                status = self._watch(lambda: True, on_tick)
        finally:
            for names in ending:
                self._end([service for service in self._services if service.name in names])
        return status

    def _prepare(self, command: Sequence[str]) -> int:
        """Run the preparation beside the starting services; its status, or that of a service that cannot run."""
        preparing = Tethered(command, self._environment, ())
        preparing.go()
        status = self._watch(lambda: preparing.process.poll() is None)
        if preparing.process.poll() is None:
            preparing.process.terminate()
        ended = preparing.process.wait()
        preparing.close()
        return status or (0 if self._signals else ended)

    def _watch(self, wanted: Callable[[], bool], on_tick: Callable[[], None] = lambda: None) -> int:
        """Keep the services running while `wanted` and not told to stop; the status of one that cannot run."""
        while wanted() and not self._signals:
            for service in self._services:
                if self._tend(service) == MISCONFIGURED:
                    return MISCONFIGURED
            on_tick()
            time.sleep(_TICK_SECONDS)
        return 0

    def _tend(self, service: Service) -> int | None:
        """Start the service if it is its time, notice if it died; the exit status of its death."""
        now = time.monotonic()
        if service.running is None:
            if now >= service.start_at:
                service.running = Tethered(service.command, self._environment, service.inherit)
                if self._going:
                    service.running.go()
            return None
        status = service.running.process.poll()
        if status is None:
            return None
        if now - service.running.started > _SETTLED_SECONDS:
            service.backoff = _FIRST_BACKOFF_SECONDS
        service.running.close()
        service.running = None
        service.start_at = now + service.backoff
        if status != MISCONFIGURED:
            logger.error("%s %s; starting it again in %.1f s", service.name, _cause(status), service.backoff)
        service.backoff = min(2 * service.backoff, _LONGEST_BACKOFF_SECONDS)
        return status

    def _end(self, services: Sequence[Service]) -> None:
        """Ask them to end together, wait for each as long as it may take, then kill."""
        running = [(service, service.running) for service in services if service.running is not None]
        for _, tethered in running:
            tethered.process.terminate()
        began = time.monotonic()
        asked = self._signals
        while any(tethered.process.poll() is None for _, tethered in running):
            for service, tethered in running:
                late = time.monotonic() - began > service.patience_seconds
                if tethered.process.poll() is None and (late or self._signals > max(asked, 1)):
                    logger.warning("%s does not end; killing it", service.name)
                    tethered.process.kill()
                    tethered.process.wait()
            time.sleep(_TICK_SECONDS)
        for _, tethered in running:
            tethered.close()

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1


def own_command(*words: str) -> list[str]:
    """The command line that runs one of this program's commands with this very interpreter."""
    # -P: what lies in the folder that the command is run in must not be imported in place of our packages.
    return [sys.executable, "-P", "-m", "innerloop", *words]


def environment_with(**variables: str) -> dict[str, str]:
    """This process's environment with some variables set."""
    return {**os.environ, **variables}


def _cause(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
