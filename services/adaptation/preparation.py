"""What callers gave, made into what crosses into the engine: on the event loop where that is quick."""

from anyio.to_thread import run_sync

from services.adaptation.inputs import engine_inputs
from services.adaptation.limits import Limits
from services.adaptation.records import AnySupportInput, Classes, Inputs, SupportInput
from services.adaptation.support import PreparedSupport, prepare_support
from services.adaptation.versions import ServedVersion
from services.engine.messages import Array
from services.errors import Invalid

# What is converted on the event loop; more goes to a thread.
_QUICK_BYTES = 1 << 18


class Preparation:
    """Within limits. Knows no storage and no engine."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def support(
        self, given: AnySupportInput, version: ServedVersion, earlier: Classes | None = None
    ) -> PreparedSupport:
        """A support set that fits; `earlier` are the classes of what it goes on from. Raises Invalid."""

        def prepare() -> PreparedSupport:
            return prepare_support(
                given, version.signature, version.max_ways, self._limits, earlier, version.columns
            )

        quick = isinstance(given, SupportInput) and _is_quick(given.inputs)
        return prepare() if quick else await run_sync(prepare)

    async def query(
        self,
        inputs: Inputs,
        version: ServedVersion,
        classes: Classes | None,
        pointer: str = "/inputs",
        *,
        n_columns: int | None = None,
    ) -> Array:
        """Inputs to query, as they cross into the engine; `n_columns` are the adaptation's, where it has its own.

        Raises Invalid, at `pointer`.
        """
        # A short query of many classes has a long answer: 16,384 inputs of 1,024 classes would be half a gigabyte.
        each = version.signature.answer_width if classes is None else len(classes)
        most = min(self._limits.query_examples, self._limits.answer_numbers // each)
        if len(inputs) > most:
            raise Invalid.at(pointer, f"{len(inputs)} examples; at most {most} are taken")

        columns = version.columns if n_columns is None else range(n_columns, n_columns + 1)

        def read() -> Array:
            return engine_inputs(inputs, version.signature, pointer, self._limits, columns)

        return read() if _is_quick(inputs) else await run_sync(read)


def _is_quick(inputs: Inputs) -> bool:
    return not isinstance(inputs, list) and inputs.nbytes <= _QUICK_BYTES
