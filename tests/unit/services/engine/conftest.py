"""An executor on small models, its storage in memory."""

from collections.abc import Iterator

import pytest
import torch

from services.engine.adapted_models import AdaptedModels
from services.engine.executor import Executor
from services.engine.messages import AdaptCall, AdaptReply, Reply
from services.engine.passes import Passes
from services.engine.plans import Plans
from services.engine.residents import ResidentModels
from services.engine.tier import Tier
from services.errors import NotFound
from services.storage.artifacts import MemoryArtifactStore

CPU = torch.device("cpu")


class Bench:
    """An executor and what it reads from: `store` holds artifacts, `kept` the adapted parameters by digest.

    On a device other than the CPU it has two tiers, and half the room in the nearer one.
    """

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device
        self.store = MemoryArtifactStore()
        self.kept: dict[str, bytes] = {}
        self.restart()

    def restart(
        self, max_numbers: int = 1 << 20, model_bytes: int = 1 << 20, adapted_bytes: int = 1 << 20
    ) -> None:
        """A fresh executor on the same storage, nothing resident."""
        self.models = ResidentModels(self.store, self.device, model_bytes)
        self.tier_hits: list[str] = []
        tiers = [Tier("host", CPU, adapted_bytes)]
        if self.device != CPU:
            tiers.insert(0, Tier("device", self.device, adapted_bytes // 2))
        self.adapted = AdaptedModels(self._read, tiers, self.tier_hits.append)
        self.passes = Passes(Plans(self.device, workshop=None), self.device, max_numbers)
        self.executor = Executor(self.models, self.adapted, self.passes, self.device)

    def run(self, *calls: object) -> list[Reply]:
        replies = self.executor.run(calls)
        for reply in replies:
            if isinstance(reply, AdaptReply):
                self.kept[reply.digest] = bytes(reply.params)
        return replies

    def adapt(self, call: AdaptCall) -> AdaptReply:
        (reply,) = self.run(call)
        assert isinstance(reply, AdaptReply), reply
        return reply

    def _read(self, digest: str) -> bytes:
        try:
            return self.kept[digest]
        except KeyError:
            raise NotFound(f"no adapted parameters {digest}") from None


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
