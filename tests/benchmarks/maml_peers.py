"""MAML as torchopt's and higher's own examples write it: a loop over tasks, an `nn.Module`, torch's Adam.

Both are given our families to sample from, and networks of the very operations of ours in the same order, so that
what is compared is how the meta-gradient is computed.
"""

from collections.abc import Callable

import higher
import torch
import torchopt
from torch import Tensor, nn
from torch.nn import functional

from models.episode import MetaBatch
from models.functional import Params

Sample = Callable[[], MetaBatch]
Loss = Callable[[Tensor, Tensor], Tensor]


class Peer:
    """One peer's meta-training; `meta_gradient` leaves the meta-gradient in the network's parameters."""

    name: str

    def __init__(
        self, network: nn.Module, loss: Loss, inner_lr: float, inner_steps: int, meta_lr: float
    ) -> None:
        self.network = network
        self.loss = loss
        self.inner_lr = inner_lr
        self.inner_steps = inner_steps
        self.optimizer = torch.optim.Adam(network.parameters(), lr=meta_lr)

    def outer_step(self, batch: MetaBatch) -> None:
        self.optimizer.zero_grad()
        self.meta_gradient(batch)
        self.optimizer.step()

    def meta_gradient(self, batch: MetaBatch) -> None:
        raise NotImplementedError


class Torchopt(Peer):
    """As `examples/few-shot/maml_omniglot.py` of torchopt has it."""

    name = "torchopt"

    def meta_gradient(self, batch: MetaBatch) -> None:
        network, (support, query) = self.network, batch
        inner = torchopt.MetaSGD(network, lr=self.inner_lr)
        network_state = torchopt.extract_state_dict(network, by="reference", detach_buffers=True)
        inner_state = torchopt.extract_state_dict(inner, by="reference")
        losses = []
        for task in range(len(support.inputs)):
            for _ in range(self.inner_steps):
                inner.step(self.loss(network(support.inputs[task]), support.targets[task]))
            losses.append(self.loss(network(query.inputs[task]), query.targets[task]))
            torchopt.recover_state_dict(network, network_state)
            torchopt.recover_state_dict(inner, inner_state)
        torch.mean(torch.stack(losses)).backward()


class Higher(Peer):
    """As `examples/maml-omniglot.py` of higher has it."""

    name = "higher"

    def meta_gradient(self, batch: MetaBatch) -> None:
        support, query = batch
        inner = torch.optim.SGD(self.network.parameters(), lr=self.inner_lr)
        tasks = len(support.inputs)
        for task in range(tasks):
            with higher.innerloop_ctx(self.network, inner, copy_initial_weights=False) as (network, descent):
                for _ in range(self.inner_steps):
                    descent.step(self.loss(network(support.inputs[task]), support.targets[task]))
                loss = self.loss(network(query.inputs[task]), query.targets[task])
                (loss / tasks).backward()


PEERS: tuple[type[Peer], ...] = (Torchopt, Higher)


def mlp(params: Params) -> nn.Module:
    """Our Mlp with its head, holding the given parameters."""
    layers: list[nn.Module] = []
    weights = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    for name in weights:
        weight = params[f"{name}.weight"]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data.copy_(weight)
        layer.bias.data.copy_(params[f"{name}.bias"])
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def conv4(params: Params) -> nn.Module:
    """Our Conv4 with its head, holding the given parameters."""
    blocks = [
        _Block(*(params[f"backbone.{block}.{part}"] for part in ("weight", "scale", "shift")))
        for block in range(4)
    ]
    head = nn.Linear(params["head.weight"].shape[1], params["head.weight"].shape[0])
    head.weight.data.copy_(params["head.weight"])
    head.bias.data.copy_(params["head.bias"])
    return nn.Sequential(*blocks, nn.Flatten(), head)


class _Block(nn.Module):
    def __init__(self, weight: Tensor, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.weight, self.scale, self.shift = (
            nn.Parameter(value.clone()) for value in (weight, scale, shift)
        )

    def forward(self, maps: Tensor) -> Tensor:
        maps = functional.group_norm(functional.conv2d(maps, self.weight, padding=1), num_groups=1)
        maps = functional.max_pool2d(maps, 2)
        return torch.relu(maps * self.scale[:, None, None] + self.shift[:, None, None])
