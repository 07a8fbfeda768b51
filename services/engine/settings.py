"""The engine's own settings: where it listens, what it runs on, how much it holds."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

# A unix socket's path has 108 bytes with its closing zero, on every kernel we run on (sockaddr_un).
_LONGEST_SOCKET_PATH = 107


class EngineSettings(BaseSettings):
    """Read by the engine process, and (address and timeout) by whoever calls it."""

    model_config = SettingsConfigDict(
        env_prefix="INNERLOOP_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    data_dir: Path = Path("data")
    """The service's folder; the engine's socket lies there unless `engine_address` says otherwise."""
    engine_address: str | None = None
    """`ipc:///path` or `tcp://host:port`. The engine binds it, others connect: an engine in a container binds
    `tcp://0.0.0.0:port`. There is no authentication on it, so it must be reachable by the service alone."""
    engine_device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is CUDA where there is a device, else the CPU."""
    engine_threads: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2), ge=1)
    """CPU threads of one device pass; the other cores are left to the api and the worker."""
    engine_compile: bool = True
    """Compile what is asked a lot, in a process of its own; kept in the folder `compiled` of `data_dir`."""
    engine_max_batch: int = Field(default=64, ge=1)
    """The most calls that share one device pass."""
    engine_max_batch_numbers: int = Field(default=1 << 21, ge=1)
    """The most input numbers (padded) in one device pass of several calls; bounds its memory."""
    engine_max_queued: int = Field(default=1024, ge=1)
    """Calls that may wait; more are refused as busy."""
    engine_timeout_seconds: float = Field(default=30.0, gt=0.0)
    """After this long a call has failed: its caller stops waiting, and the engine drops it if it still waits."""
    engine_model_bytes: int = Field(default=2 << 30, ge=0)
    """Device memory for base models kept loaded; the least recently used leave first."""
    engine_adapted_bytes: int = Field(default=1 << 30, ge=0)
    """GPU memory for adapted models kept loaded; the least recently used leave first."""
    engine_host_bytes: int = Field(default=2 << 30, ge=0)
    """Main memory for adapted models kept loaded; those that leave are read from storage when asked again."""

    @property
    def address(self) -> str:
        return self.engine_address or f"ipc://{self._socket_path()}"

    def _socket_path(self) -> Path:
        folder = self.data_dir.absolute()
        path = folder / "engine.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"innerloop-{os.getuid()}" / f"{name}.sock"
