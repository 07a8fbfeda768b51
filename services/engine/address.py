"""Where an engine listens: `ipc:///path` or `tcp://host:port`. Knows sockets; nothing of what goes through them."""

import os
import socket
from pathlib import Path
from typing import NamedTuple


class Address(NamedTuple):
    """`path` of a unix socket, else `host` and `port`."""

    path: str | None
    host: str = ""
    port: int = 0

    def bind(self) -> socket.socket:
        """A listening socket; a unix socket's file replaces what is there, and is this user's alone."""
        if self.path is None:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        listener = socket.socket(socket.AF_UNIX)
        try:
            Path(self.path).unlink(missing_ok=True)
            mask = os.umask(0o077)
            try:
                listener.bind(self.path)
            finally:
                os.umask(mask)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener


_BACKLOG = 128
_MOST_PORT = 65535
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}  # seconds, seconds, times


def address_of(url: str) -> Address:
    """Raises ValueError where it is none."""
    scheme, _, rest = url.partition("://")
    if scheme == "ipc" and rest:
        return Address(rest)
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if scheme != "tcp" or not _is_name(host) or not port.isdecimal() or int(port) > _MOST_PORT:
        raise ValueError(f"{url!r} is no address of an engine: ipc:///path or tcp://host:port")
    return Address(None, host, int(port))


def _is_name(host: str) -> bool:
    """Whether it may be looked up: what may not is no OSError there, which would pass."""
    try:
        return bool(host) and b"\0" not in host.encode("idna")
    except UnicodeError:
        return False


def at_once(connection: socket.socket) -> None:
    """Let short messages leave at once, and notice a peer whose host is lost."""
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            # The kernel's own patience is two hours; not every one lets itself be told.
            if hasattr(socket, option):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
