"""The engine process, put together: settings in, a served loop out. The one place that knows all of its parts."""

import importlib
import signal
import threading
from collections.abc import Callable

import torch
from prometheus_client import CollectorRegistry

from services.engine.adapted_models import AdaptedModels, reader_of
from services.engine.device import pick_device
from services.engine.executor import Executor
from services.engine.loop import EngineLoop
from services.engine.residents import ResidentModels
from services.engine.server import EngineServer
from services.engine.settings import EngineSettings
from services.engine.tier import Tier
from services.storage.artifacts import ArtifactStore, FolderArtifactStore
from services.storage.database import Database
from services.storage.settings import StorageSettings
from services.telemetry.metrics import EngineMetrics

# The first gradient of `torch.func` imports the compiler, for seconds: better before than in a call, but not
# while the other processes start and need the cores.
_WARM_UP_SECONDS = 5.0


def build_loop(
    settings: EngineSettings,
    artifacts: ArtifactStore,
    read_adapted: Callable[[str], bytes],
    metrics: EngineMetrics,
) -> EngineLoop:
    """An engine that is not started yet; `read_adapted` gives the stored bytes of adapted parameters."""
    device = pick_device(settings.engine_device)
    executor = Executor(
        ResidentModels(artifacts, device, settings.engine_model_bytes),
        AdaptedModels(read_adapted, _tiers(settings, device)),
        device,
        max_numbers=settings.engine_max_batch_numbers,
    )
    return EngineLoop(executor, settings, metrics)


def _tiers(settings: EngineSettings, device: torch.device) -> list[Tier]:
    """Nearest first; on a CPU the device's memory and the host's are one."""
    host = Tier("host", torch.device("cpu"), settings.engine_host_bytes)
    if device.type == "cpu":
        return [host]
    return [Tier("device", device, settings.engine_adapted_bytes), host]


def run_engine(settings: EngineSettings, storage: StorageSettings) -> None:
    """The engine process: serve until SIGTERM or SIGINT, then finish what waits and return.

    Call it on the main thread. Raises RuntimeError where the address is taken or the device is missing.
    """
    torch.set_num_threads(settings.engine_threads)
    database = Database(storage.tables_url)
    try:
        loop = build_loop(
            settings,
            FolderArtifactStore(storage.artifacts_path),
            reader_of(database),
            EngineMetrics(CollectorRegistry()),
        )
        server = EngineServer(loop, settings.address)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        warm_up = threading.Timer(_WARM_UP_SECONDS, importlib.import_module, ["torch._dynamo"])
        warm_up.daemon = True
        warm_up.start()
        server.run()
    finally:
        database.close()
