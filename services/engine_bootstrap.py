"""The engine process, put together: settings in, a served loop out. The one place that knows all of its parts."""

import importlib
import logging
import signal
import sys
import threading
from collections.abc import Callable

import torch
from prometheus_client import CollectorRegistry

from models.encoders.shelf import EncoderShelf
from models.encoders.stock import EncoderStock
from models.programs.folder import ProgramFolder, has_compiler
from services.engine.adapted_models import AdaptedModels, many_reader_of, reader_of
from services.engine.compiling import COMPILER
from services.engine.device import pick_device, round_to
from services.engine.executor import Executor
from services.engine.loader import Loader
from services.engine.loop import EngineLoop
from services.engine.passes import Passes
from services.engine.plans import Plans
from services.engine.recorder import Recorder
from services.engine.residents import ResidentModels
from services.engine.server import EngineServer
from services.engine.settings import EngineSettings
from services.engine.tier import Tier
from services.engine.workshop import Workshop
from services.storage.artifacts import ArtifactStore, FolderArtifactStore
from services.storage.database import Database
from services.storage.settings import StorageSettings
from services.telemetry.metrics import EngineMetrics

logger = logging.getLogger(__name__)

# The first gradient of `torch.func` imports one part of the compiler, loading the first compiled program the rest,
# for seconds each: better before than in a call, but not while the other processes start and need the cores.
_WARM_UP_SECONDS = 5.0
_WARM_UP = ("torch._dynamo", "torch._inductor.codecache", "torch._inductor.package")


# How long one of the engine's threads may keep Python's lock from another: the socket's thread has little to do and
# somebody waits for it, while the device's thread runs from pass to pass. Python's own 5 ms is longer than a pass.
_SWITCH_SECONDS = 0.0002


def build_loop(
    settings: EngineSettings,
    artifacts: ArtifactStore,
    read_adapted: Callable[[str], bytes],
    metrics: EngineMetrics,
    workshop: Workshop | None = None,
    loader: Loader | None = None,
    encoders: EncoderShelf | None = None,
) -> EngineLoop:
    """An engine that is not started yet; `read_adapted` gives the stored bytes of adapted parameters.

    Without a `workshop` every program runs eagerly.
    """
    device = pick_device(settings.engine_device)
    round_to(settings.engine_precision)
    plans = Plans(device, workshop, metrics.count_plan, recorder=_recorder(settings, device))
    stock = EncoderStock(encoders or EncoderShelf(None), device)
    executor = Executor(
        ResidentModels(artifacts, device, settings.engine_model_bytes, stock),
        AdaptedModels(read_adapted, _tiers(settings, device), metrics.count_hit),
        Passes(plans, device, settings.engine_max_batch_numbers),
        device,
    )
    return EngineLoop(executor, settings, metrics, loader=loader)


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
    sys.setswitchinterval(_SWITCH_SECONDS)
    database = Database(storage.tables_url)
    workshop = _workshop(settings)
    try:
        loop = build_loop(
            settings,
            FolderArtifactStore(storage.artifacts_path),
            reader_of(database),
            EngineMetrics(CollectorRegistry()),
            workshop,
            Loader(many_reader_of(database)),
            EncoderShelf(storage.encoders_path),
        )
        server = EngineServer(loop, settings.address)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        warm_up = threading.Timer(_WARM_UP_SECONDS, lambda: [*map(importlib.import_module, _WARM_UP)])
        warm_up.daemon = True
        warm_up.start()
        server.run()
    finally:
        if workshop is not None:
            workshop.close()
        database.close()


def _recorder(settings: EngineSettings, device: torch.device) -> Recorder | None:
    if device.type != "cuda" or not settings.engine_compile:
        return None
    return Recorder(settings.engine_precision, settings.engine_recorded_bytes)


def _workshop(settings: EngineSettings) -> Workshop | None:
    """What compiles on a CPU; on a GPU programs are recorded."""
    if not settings.engine_compile or pick_device(settings.engine_device).type == "cuda":
        return None
    if not has_compiler():
        logger.info("there is no C++ compiler here: every program runs as it is")
        return None
    folder = ProgramFolder(settings.data_dir.absolute() / "compiled", COMPILER)
    return Workshop(folder, pick_device(settings.engine_device), settings.engine_threads)
