"""The process that compiles an engine's program: `python -P -m services.engine.compiling FOLDER KEY`.

The program is traced down to plain tensor operations first, through vmap and the inner loop's gradients, so that
what is compiled knows nothing of either, holds no guards and runs without Python.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from models.programs.child import compile_one

if TYPE_CHECKING:
    from torch import Tensor

COMPILER = "services.engine.compiling"
"""This module, as a `ProgramFolder` starts it."""


def main() -> None:
    compile_one(_compile)


def _compile(request: bytes, file: Path) -> None:
    """`request` is an Order as JSON."""
    # Imported here: where the compiler keeps its own files was only said a moment ago.
    import msgspec
    import torch
    from torch._inductor import aoti_compile_and_package
    from torch._inductor import config as inductor

    from models.build import build_learner
    from models.training.tracing import trace
    from services.engine.programs import adapted_layout, build_program, example_tensors
    from services.engine.workshop import Order

    order = msgspec.json.decode(request, type=Order)
    torch.set_num_threads(order.threads)
    # Headers compiled beforehand take 280 MB and serve one program.
    inductor.cpp_cache_precompile_headers = False
    spec, device = order.spec, torch.device(order.device)
    learner = build_learner(spec.learner, spec.signature, spec.max_ways)
    fresh = learner.init(torch.Generator().manual_seed(0))
    meta_params = {name: fresh[name].to(device) for name in sorted(fresh)}
    program = build_program(spec, meta_params)
    width = adapted_layout(learner, spec.signature, spec.ways, meta_params).width
    given = (*meta_params.values(), *example_tensors(spec, order.tasks, width, device))

    def flat(*tensors: "Tensor") -> "tuple[Tensor, ...]":
        params = dict(zip(meta_params, tensors, strict=False))
        return program.together(params, tensors[len(params) :])

    with torch.no_grad():
        exported = torch.export.export(trace(flat, *given), given)
    aoti_compile_and_package(exported, package_path=str(file))


if __name__ == "__main__":
    main()
