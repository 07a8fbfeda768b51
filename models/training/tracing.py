"""Functions of tensors, traced once and replayed: the kernels without the Python between them. Knows no learner."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

# Tracing costs as much as about so many calls: what is called less often is not worth it.
PATIENCE = 64


class Traced:
    """A pure function of tensors that, after a while, is replayed as the flat list of kernels that it runs.

    Transforms (`grad` of `vmap` of `grad`) cost more Python than a small network's kernels take, and do the same
    thing every time. The replay runs the same kernels in the same order, so it gives the same bytes, and when it
    takes over does not matter. Shapes must be the same in every call.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._taken = 0
        self._graph: GraphModule | None = None

    @property
    def kernels(self) -> int | None:
        """How many calls a replay makes; None before there is a trace."""
        return None if self._graph is None else len(self._graph.graph.nodes)

    def calls(self, count: int, *tensors: Tensor) -> Callable[..., Any]:
        """What to call, in any thread, the next `count` times; the tensors serve as examples."""
        if self._graph is None and self._taken >= PATIENCE:
            self._graph = trace(self._function, *tensors)
        self._taken += count
        return self._graph or self._function


def trace(function: Callable[..., Any], *tensors: Tensor) -> GraphModule:
    """The kernels that a pure function of tensors runs, for these shapes, as a graph."""
    graph: GraphModule = make_fx(function)(*tensors)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph
