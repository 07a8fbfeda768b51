"""Pure functions of tensors recorded on a GPU and replayed: all their kernels in one launch, without the Python.

A recording (a CUDA graph) is of fixed shapes and lives in memory of its own; what it is given is copied in. Knows
neither learner nor plan. What cannot be recorded is told, and costs no more than the attempt.
"""

from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import torch
from torch import Tensor

# Runs before the one that is recorded: libraries choose their kernels and take their workspaces in the first ones.
_WARM_UPS = 3

# torch records one graph at a time in a process.
_RECORDING = Lock()


class NotRecordable(RuntimeError):
    """The function does what a recording cannot hold: it waits for the device, say."""


class Recording:
    """`function(*inputs)`, recorded. Calls give fresh tensors. Not safe for several threads."""

    def __init__(
        self, function: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor], pool: Any = None
    ) -> None:
        """Runs the function a few times on copies of the examples, all on one CUDA device, and records it.

        A function may change its inputs in place: they stay in the recording from call to call. Recordings that
        are never replayed at the same time may share the memory between in and out: a `pool` of `shared_pool`.
        Raises NotRecordable, or OutOfMemoryError.
        """
        self.inputs = [example.clone() for example in examples]
        device = self.inputs[0].device
        stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(device))
        # Convolutions are tried out: what is found serves every replay.
        with _trying_convolutions():
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    function(*self.inputs)
            torch.cuda.current_stream(device).wait_stream(stream)
            self._graph, self.outputs = _record(function, self.inputs, stream, pool)
        # One launch for all tensors of a type.
        self._alike = [
            [place for place, one in enumerate(self.inputs) if one.numel() and one.dtype == dtype]
            for dtype in dict.fromkeys(one.dtype for one in self.inputs)
        ]

    @property
    def size(self) -> int:
        """Bytes that go in and come out; what lies between is taken from the device as needed."""
        return sum(tensor.nbytes for tensor in (*self.inputs, *self.outputs))

    def __call__(self, *given: Tensor) -> list[Tensor]:
        self.load(*given)
        self.replay()
        return [output.clone() for output in self.outputs]

    def load(self, *given: Tensor) -> None:
        """Copy in what a replay starts from, of the examples' shapes and types."""
        for places in self._alike:
            if places:
                torch._foreach_copy_(
                    [self.inputs[place] for place in places], [given[place] for place in places]
                )

    def replay(self) -> None:
        """Run it on `inputs` as they are, into `outputs`; both are overwritten by the next."""
        self._graph.replay()


def shared_pool() -> Any:
    """Memory for recordings."""
    return torch.cuda.graph_pool_handle()


def _record(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], stream: Any, pool: Any
) -> tuple[Any, list[Tensor]]:
    graph, pool = torch.cuda.CUDAGraph(), pool or shared_pool()
    before = torch.cuda.current_stream(inputs[0].device)
    try:
        # Of this thread alone: others may use the device meanwhile.
        with _RECORDING, torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            outputs = list(function(*inputs))
    except torch.OutOfMemoryError:
        _give_up(pool, before)
        raise
    except RuntimeError as error:
        _give_up(pool, before)
        raise NotRecordable(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    return graph, outputs


def _give_up(pool: Any, stream: Any) -> None:
    """After a recording that failed: torch stays on the stream that was recorded, and its allocator goes on to
    wait for the end, and fails when memory is short. Raises where the device is lost."""
    torch.cuda.set_stream(stream)
    with suppress(RuntimeError):
        torch._C._cuda_endAllocateToPool(stream.device.index, pool)
    torch.cuda.synchronize(stream.device)


@contextmanager
def _trying_convolutions() -> Any:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
