"""The child of the workshop: one order from stdin, one package on disk. Run as a module.

The program is traced down to plain tensor operations first, through vmap and the inner loop's gradients, so that
what is compiled knows nothing of either, holds no guards and runs without Python.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import msgspec
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from models.build import build_learner
from services.engine.programs import adapted_layout, build_program, example_tensors
from services.engine.workshop import Order


def compile_program(order: Order, package: Path) -> None:
    """Write the compiled program of an order; whole or not at all."""
    spec, device = order.spec, torch.device(order.device)
    learner = build_learner(spec.learner, spec.signature, spec.max_ways)
    fresh = learner.init(torch.Generator().manual_seed(0))
    meta_params = {name: fresh[name].to(device) for name in sorted(fresh)}
    program = build_program(spec, meta_params)
    width = adapted_layout(learner, spec.signature, spec.ways, meta_params).width
    tensors = example_tensors(spec, order.tasks, width, device)

    def flat(*given: Tensor) -> tuple[Tensor, ...]:
        params = dict(zip(meta_params, given, strict=False))
        return program.together(params, given[len(params) :])

    given = (*meta_params.values(), *tensors)
    with torch.no_grad():
        traced = make_fx(flat)(*given)
        exported = torch.export.export(traced, given)
    unfinished = package.with_suffix(f".{os.getpid()}.pt2")
    torch._inductor.aoti_compile_and_package(exported, package_path=str(unfinished))
    unfinished.replace(package)


def _end_with_parent() -> None:
    """The engine holds the other end of stdin; the compiler's own children are in this process's group."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(19)
    torch.set_num_threads(order.threads)
    compile_program(order, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
