"""Very many adapted models, made by the engine in this process and stored by the service's own repository.

No HTTP: a million requests would measure the requests. What the engine holds, and what the database holds, are the
same as if they had come one by one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import torch

from models.build import build_learner
from models.spec import LearnerSpec, MlpSpec, ProtoNetSpec, Signature, TensorSpec
from services.adaptation import repository
from services.adaptation.records import Adaptation, StoredAdaptation
from services.engine.adapted_models import AdaptedModels, reader_of
from services.engine.executor import Executor
from services.engine.messages import AdaptCall, AdaptReply, Array, Support
from services.engine.passes import Passes
from services.engine.plans import Plans
from services.engine.residents import ResidentModels
from services.engine.tier import Tier
from services.ids import new_id
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.manifest import Manifest, encode_artifact
from services.storage.settings import StorageSettings

FEATURES = 8
WAYS = 5
PASS = 64
GROUP = 64 * PASS
_SIGNATURE = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, FEATURES)),
    targets=TensorSpec(datatype="BYTES", shape=(-1,)),
)
_ENDLESS = 1 << 50


def prototypes(seed: int) -> bytes:
    """The file of an untrained prototypical network: 16 embedding columns, so that an adapted model is small."""
    learner = LearnerSpec(algorithm=ProtoNetSpec(), network=MlpSpec(hidden=(32, 16)))
    params = build_learner(learner, _SIGNATURE).init(torch.Generator().manual_seed(seed))
    manifest = Manifest(learner=learner, signature=_SIGNATURE)
    return encode_artifact({name: value.numpy() for name, value in params.items()}, manifest)


def storage_of(folder: Path) -> StorageSettings:
    """The tables and artifacts of a service's data folder, whatever the environment says."""
    return StorageSettings(data_dir=folder, database_url=None, artifact_dir=None)


class Crowd:
    """An engine without a bound on what it holds, and the database of a folder that a service has set up."""

    def __init__(self, folder: Path, artifact: str, model: str) -> None:
        """`artifact` is the sha256 of the model's version 1."""
        storage, cpu = storage_of(folder), torch.device("cpu")
        torch.set_num_threads(1)
        self.database = Database(storage.tables_url)
        self._artifact = artifact
        self._model = model
        resident = ResidentModels(FolderArtifactStore(storage.artifacts_path), cpu, _ENDLESS)
        self._adapted = AdaptedModels(reader_of(self.database), [Tier("host", cpu, _ENDLESS)])
        passes = Passes(Plans(cpu, workshop=None), cpu, max_numbers=1 << 21)
        self._executor = Executor(resident, self._adapted, passes, cpu)
        self._began = datetime.now(UTC)
        self._made = 0
        self.numbers = 0
        """Of one adapted model's parameters, in bytes."""

    def __len__(self) -> int:
        return len(self._adapted)

    def grow(self, count: int, generator: np.random.Generator) -> Iterator[list[str]]:
        """Make and store `count` more, group by group; the ids of each."""
        while count > 0:
            size = min(GROUP, count)
            count -= size
            yield self._group(size, generator)

    def close(self) -> None:
        self.database.close()

    def _group(self, size: int, generator: np.random.Generator) -> list[str]:
        replies: list[AdaptReply] = []
        for start in range(0, size, PASS):
            replies += self._pass(min(PASS, size - start), generator)
        stored = [
            (StoredAdaptation(self._record(reply), reply.digest), bytes(reply.params)) for reply in replies
        ]
        with self.database.write() as session:
            repository.insert(session, stored)
        return [one.adaptation.id for one, _ in stored]

    def _pass(self, size: int, generator: np.random.Generator) -> Sequence[AdaptReply]:
        inputs = generator.normal(size=(size, WAYS, FEATURES)).astype(np.float32)
        slots = Array.of(np.arange(WAYS))
        calls = [AdaptCall(self._artifact, Support(Array.of(one), slots, WAYS)) for one in inputs]
        replies = self._executor.run(calls)
        made = [reply for reply in replies if isinstance(reply, AdaptReply)]
        if len(made) < size:
            raise RuntimeError(f"the engine answered {next(one for one in replies if one not in made)}")
        if not self.numbers:
            header = 8 + int.from_bytes(made[0].params[:8], "little")
            self.numbers = made[0].params.nbytes - header
        return made

    def _record(self, reply: AdaptReply) -> Adaptation:
        self._made += 1
        return Adaptation(
            id=new_id("adp"),
            model=self._model,
            version=1,
            task="classification",
            classes=[f"class {slot}" for slot in range(WAYS)],
            n_support=WAYS,
            support_loss=reply.support_loss,
            revision=1,
            options={},
            metadata={},
            created_at=self._began + timedelta(milliseconds=self._made),
            expires_at=None,
        )
