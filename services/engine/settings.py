"""The engine's own settings: where it listens, what it runs on, how much it holds."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.engine.address import address_of
from services.engine.admission import PassLimits, QueueLimits
from services.machine import memory_bytes

# A unix socket's path has 108 bytes with its closing zero, on every kernel we run on (sockaddr_un).
_LONGEST_SOCKET_PATH = 107


class EngineSettings(BaseSettings):
    """Read by the engine process, and (address, timeout and what a call may take) by the api, which calls it."""

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
    engine_precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """What a GPU may round to. `tf32`: products and convolutions, to some 1e-3; `bfloat16`: a network's backbone
    also, where a real pass shows that answers stay within 0.02 and it is faster. Closed forms stay as they are."""
    engine_threads: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2), ge=1)
    """CPU threads of one device pass; the other cores are left to the api and the worker."""
    engine_compile: bool = True
    """Compile what is asked a lot, in a process of its own; kept in the folder `compiled` of `data_dir`. On a GPU:
    record it as a CUDA graph, in moments and in memory."""
    engine_max_batch: int = Field(default=64, ge=1)
    """The most calls that share one device pass."""
    engine_max_batch_numbers: int = Field(default=1 << 21, ge=1)
    """The most input numbers (padded) in one device pass of several calls; bounds its memory."""
    engine_batch_seconds: float = Field(default=0.25, gt=0.0)
    """What a device pass of several calls should take at most, judging by measured ones: others wait as long for
    it. Where starting a pass alone takes longer, it may take twice that."""
    engine_max_queued: int = Field(default=1024, ge=1)
    """Calls that may wait; more are refused as busy."""
    engine_max_queued_seconds: float = Field(default=10.0, gt=0.0)
    """Estimated device time of the calls that may wait; more are refused as busy."""
    engine_tenant_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """The part of that queue, in calls and in seconds, that one key fills alone; less while others fill it too, so
    that a newcomer finds room. More of its calls are refused as over its quota; 1 turns this off."""
    engine_timeout_seconds: float = Field(default=30.0, gt=0.0)
    """After this long a call has failed: its caller stops waiting, and the engine drops it if it still waits."""
    engine_call_operations: int = Field(default=100_000_000_000, ge=1)
    """Multiply-adds that one call may take, as estimated from its examples, steps and network; a call beyond is
    422. By default some ten seconds of one CPU core: a GPU can do with a thousand times more."""
    engine_call_bytes: int = Field(default_factory=lambda: memory_bytes() // 4, ge=1)
    """Working memory that one call may take, estimated likewise. By default a quarter of the machine's."""
    engine_model_bytes: int = Field(default=2 << 30, ge=0)
    """Device memory for base models kept loaded; the least recently used leave first."""
    engine_adapted_bytes: int = Field(default=1 << 30, ge=0)
    """GPU memory for adapted models kept loaded; the least recently used leave first."""
    engine_recorded_bytes: int = Field(default=1 << 30, ge=0)
    """GPU memory for what goes in and out of recorded programs; the least recently used leave first."""
    engine_host_bytes: int = Field(default=2 << 30, ge=0)
    """Main memory for adapted models kept loaded; those that leave are read from storage when asked again."""

    @field_validator("engine_address")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url:
            address_of(url)
        return url

    @property
    def queue_limits(self) -> QueueLimits:
        return QueueLimits(self.engine_max_queued, self.engine_max_queued_seconds, self.engine_tenant_share)

    @property
    def pass_limits(self) -> PassLimits:
        return PassLimits(self.engine_max_batch, self.engine_max_batch_numbers, self.engine_batch_seconds)

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
