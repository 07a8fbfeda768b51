"""A worker in this process, for a job at a time: posted, carried to its end, and read again."""

from typing import Any

import httpx

from models.encoders.shelf import EncoderShelf
from services.clock import SystemClock
from services.jobs.encoded import FeatureFolder
from services.jobs.ledger import Ledger
from services.jobs.settings import WorkerSettings
from services.jobs.steps import Steps
from services.jobs.workflow import carry
from tests.contract.conftest import Service


def train(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{service.url}/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    job = service.services.jobs.job(answer.json()["id"])
    services, storage = service.services, service.storage
    artifacts = services.registry._artifacts
    ledger = Ledger(services.database, artifacts, services.registry, SystemClock(), "me")
    features = FeatureFolder(storage.features_path, EncoderShelf(storage.encoders_path))
    worker = WorkerSettings(worker_device="cpu", worker_threads=1, worker_plans="vmap")
    steps = Steps(ledger, artifacts, services.datasets, SystemClock(), worker, features=features)
    carry(steps, lambda _name, work, *arguments: work(*arguments), job.id, job.turn)
    return dict(httpx.get(f"{service.url}/v1/jobs/{job.id}").json())
