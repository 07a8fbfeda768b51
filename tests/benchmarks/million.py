"""A million adapted models on one machine: bytes of each in memory and on disk, cold predictions, lists, counts.

They are made by the engine in this process (`crowd`); then a service is started on what was stored, which holds
none of them in memory, and is asked over HTTP.
"""

import gc
import json
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.contenders import Ours, ours
from tests.benchmarks.crowd import FEATURES, GROUP, Crowd, prototypes
from tests.benchmarks.figures import Figure, Report, number
from tests.benchmarks.load import Answer, LoadProcess, get, post
from tests.benchmarks.options import Options
from tests.benchmarks.process_tree import resident_bytes
from tests.benchmarks.progress import follow, say

MODEL, RARE = "crowd", "rare"
FEW = 20
COLD = 2000
ASKS = 50
_SETTLE_SECONDS = 8.0


def measure(options: Options) -> Report:
    with TemporaryDirectory() as scratch, closing(LoadProcess()) as load:
        folder = Path(scratch) / "data"
        with ours(folder) as service:
            for name in (MODEL, RARE):
                artifact = service.client.models.upload(name, prototypes(options.seed)).artifact.sha256
        empty = _database_bytes(folder)
        raw, resident, rate, ids = _made(folder, artifact, options)
        on_disk = (_database_bytes(folder) - empty) / (options.models + FEW)
        say(
            f"{number(resident)} bytes in memory and {number(on_disk)} on disk for {raw} bytes of numbers each"
        )
        _forget_pages(folder)
        with ours(folder) as service:
            # The engine imports its compiler some seconds after its start.
            time.sleep(_SETTLE_SECONDS)
            latencies = _asked(service, load, ids, options)
    return _report(options, raw, resident, on_disk, rate, latencies)


def _made(folder: Path, artifact: str, options: Options) -> tuple[int, float, float, list[str]]:
    """Bytes of numbers of one model, bytes in memory of each, how many a second, and the ids of many."""
    generator = np.random.default_rng(options.seed)
    with closing(Crowd(folder, artifact, RARE)) as few:
        for _ in few.grow(FEW, generator):
            pass
    with closing(Crowd(folder, artifact, MODEL)) as crowd:
        ids: list[str] = []
        first = min(GROUP, options.models // 2)
        for made in crowd.grow(first, generator):
            ids += made
        gc.collect()
        before, began = resident_bytes(), time.monotonic()
        more = options.models - first
        for made in follow("adapting and storing", crowd.grow(more, generator), more):
            # Some of each group, so that those asked for lie everywhere.
            ids += made[: 1 + len(made) * 3 * COLD // options.models]
        took = time.monotonic() - began
        gc.collect()
        resident = (resident_bytes() - before) / more
        return crowd.numbers, resident, more / took, ids


def _asked(service: Ours, load: LoadProcess, ids: Sequence[str], options: Options) -> dict[str, list[float]]:
    """Milliseconds of each answer, by what was asked; one client."""
    generator = np.random.default_rng(options.seed + 1)
    chosen = list(generator.choice(ids, min(COLD + ASKS, len(ids)), replace=False))
    body = json.dumps({"inputs": generator.normal(size=(1, FEATURES)).tolist()}).encode()
    predicts = [post(f"/v1/adaptations/{name}/predictions", body) for name in chosen]

    def ask(what: str, requests: Sequence[bytes], status: int = 200) -> list[Answer]:
        answers = load.ask(service.port, requests, clients=1)
        for answer in answers:
            if answer.status != status:
                raise RuntimeError(f"{what}: {answer.status} where {status} was due: {answer.body[:400]!r}")
        milliseconds = sorted(answer.seconds * 1000 for answer in answers)
        say(f"{what}: p50 {np.median(milliseconds):.3g} ms, p99 {np.percentile(milliseconds, 99):.3g} ms")
        return answers

    ask("warming", predicts[:ASKS])
    return {
        what: [answer.seconds * 1000 for answer in answered()]
        for what, answered in _questions(ask, predicts[ASKS:]).items()
    }


def _questions(
    ask: Callable[..., list[Answer]], predicts: Sequence[bytes]
) -> dict[str, Callable[[], list[Answer]]]:
    newest = f"/v1/adaptations?model={MODEL}&limit=100"

    delete = f"DELETE /v1/models/{MODEL}/versions/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    return {
        "cold prediction": lambda: ask("cold predictions", predicts),
        "list, all models": lambda: ask("lists of all", [get("/v1/adaptations?limit=100")] * ASKS),
        "list, the common model": lambda: ask("lists of the common model", [get(newest)] * ASKS),
        "list, the rare model": lambda: ask(
            "lists of the rare model", [get(f"/v1/adaptations?model={RARE}&limit=100")] * ASKS
        ),
        # Refused with the number of live adaptations: the one answer that counts them.
        "count of the common model's": lambda: ask("counts", [delete] * ASKS, 409),
    }


def _report(
    options: Options,
    raw: int,
    resident: float,
    on_disk: float,
    rate: float,
    latencies: dict[str, list[float]],
) -> Report:
    figures = [
        Figure(
            what="in memory, each",
            value=resident,
            unit=" B",
            at_most=2 * raw + 300,
            beside=f"{raw} bytes of numbers are the floor: {resident / raw:.2f} times it",
        ),
        Figure(
            what="on disk, each",
            value=on_disk,
            unit=" B",
            at_most=raw + 600,
            beside=f"{on_disk - raw:,.0f} bytes beyond its numbers, records and indexes included",
        ),
    ]
    for what, milliseconds in latencies.items():
        p50, p99 = (float(np.percentile(milliseconds, percent)) for percent in (50, 99))
        gate = 30.0 if what == "cold prediction" else 50.0
        beside = f"p50 {p50:.3g} ms of {len(milliseconds):,}"
        figures.append(Figure(what=f"{what}, p99", value=p99, unit=" ms", at_most=gate, beside=beside))
    figures.append(Figure(what="adapted and stored, without HTTP", value=rate, unit="/s"))
    return Report(
        suite="million",
        title=f"{options.models:,} adapted models on one machine",
        how=(
            "Prototypes of 5 classes, made by the engine and stored by the service's repository; then a service is "
            "started on the folder, the file's pages dropped from the kernel's cache, and asked over HTTP by one "
            "client. Every cold prediction is the first of its model."
        ),
        seed=options.seed,
        scale={"models": options.models},
        figures=figures,
        series={"raw": raw, "resident": resident, "on_disk": on_disk, "latencies": latencies},
    )


def _database_bytes(folder: Path) -> int:
    """What the tables take, everything moved from the log into the file."""
    path = folder / "innerloop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return sum(file.stat().st_size for file in folder.glob("innerloop.db*"))


def _forget_pages(folder: Path) -> None:
    """Have the kernel read the file anew."""
    with (folder / "innerloop.db").open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
