"""A pipe from the supervisor to each of its processes: one byte says go, its end says that the supervisor is gone.

A supervisor that is killed cannot tell anybody, but the kernel closes its pipes. So nothing outlives it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

_GO = b"g"


class Lifeline:
    """The process's end."""

    def __init__(self, fd: int, patience_seconds: float) -> None:
        """`fd` was inherited; after `patience_seconds` a process that will not end is made to."""
        self._fd = fd
        self._patience_seconds = patience_seconds

    def hold(self) -> None:
        """Wait for the word to go, then end this process when the supervisor does.

        Imports are done before: they take longest, and can go on while the databases are being migrated.
        """
        if os.read(self._fd, 1) != _GO:
            sys.exit(0)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        while os.read(self._fd, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._patience_seconds)
        os._exit(1)


class Tethered:
    """The supervisor's end: a process that is running, and the pipe that it hangs on."""

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        inherit: Sequence[int] = (),
        output: IO[bytes] | None = None,
    ) -> None:
        """Start `command` with `--lifeline FD`; it may use the descriptors `inherit` too.

        `output` takes what it prints, where that is not to go where our own goes.
        """
        receiving, self._sending = os.pipe()
        try:
            self.process = subprocess.Popen(  # noqa: S603 - our own command line
                [*command, "--lifeline", str(receiving)],
                env=environment,
                pass_fds=(receiving, *inherit),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                # Its own group: Ctrl-C is for the supervisor, which then ends its processes in order.
                process_group=0,
            )
        finally:
            os.close(receiving)
        self.started = time.monotonic()

    def go(self) -> None:
        """Let the process begin its work."""
        try:
            os.write(self._sending, _GO)
        except BrokenPipeError:
            # It is dead already, which the supervisor will find.
            return

    def close(self) -> None:
        os.close(self._sending)
