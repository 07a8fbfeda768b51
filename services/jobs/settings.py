"""The worker's own settings: what it trains on, and how often it looks, reports and saves."""

import os
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.machine import memory_bytes


class WorkerSettings(BaseSettings):
    """Read by the worker process, and (what a step may take) by the api.

    What a job trains is its configuration, not a setting.
    """

    model_config = SettingsConfigDict(
        env_prefix="INNERLOOP_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    worker_device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is CUDA where there is a device, else the CPU."""
    worker_precision: Literal["float32", "tf32"] = "float32"
    """What a GPU rounds products and convolutions to in training: `tf32` is some 1e-3 off and several times faster
    on large networks."""
    worker_threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """CPU threads of a training step at most; small networks use one. A run is repeatable bit for bit at one
    number of threads."""
    worker_plans: Literal["declared", "measured", "vmap"] = "declared"
    """`declared`: a job's configuration says which way its steps are taken, on a CPU, so that equal seeds give
    equal bytes; a long one waits until its program is compiled. `measured`: by the fastest way found, changed to at
    checkpoints and recorded, for rounding differs. `vmap`: one way throughout."""
    worker_concurrency: int = Field(default=1, ge=1)
    """Jobs that one worker runs at a time; they share its threads and its device."""
    worker_step_bytes: int = Field(default_factory=lambda: 3 * memory_bytes() // 4, ge=1)
    """Memory that one outer step of a job may take, as estimated from its configuration; a job beyond is 422. By
    default three quarters of the machine's: the api's, which refuses, where the worker is on another."""
    worker_checkpoint_seconds: float = Field(default=10.0, gt=0.0)
    """Training between two checkpoints: what a killed worker costs a job at most."""
    worker_report_seconds: float = Field(default=0.5, gt=0.0)
    """Between two reports of progress; also how soon a running job notices that it was cancelled or paused."""
    worker_poll_seconds: float = Field(default=0.2, gt=0.0)
    """Between two looks at the queue."""
    worker_heartbeat_seconds: float = Field(default=1.0, gt=0.0)
    """Between two signs of life, and between two looks at whether other workers still give theirs."""
    worker_max_losses: int = Field(default=3, ge=1)
    """A job that this many workers in a row died of, without a checkpoint in between, has failed."""
    worker_leave_seconds: float = Field(default=8.0, ge=1.0)
    """How long a worker that was told to stop waits for its jobs to save themselves."""
