"""What every algorithm's spec says of itself, so that nobody asks which algorithm it is."""

from typing import ClassVar

import msgspec

from models.spec.signature import Task


class Algorithm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """The base of all: the class attributes are what holds for the algorithm whatever its fields say."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    """The kinds of task it can learn."""
    adjustable: ClassVar[tuple[str, ...]] = ()
    """The fields that a caller of the service may set for one adaptation."""
    starts_from_adaptation: ClassVar[bool] = False
    """Whether it can go on from adapted parameters."""
    gives_std: ClassVar[bool] = False
    """Whether its regression answers carry a std."""
    has_output_layer: ClassVar[bool] = False
    """Whether its network ends in a layer of one output for each target column or class slot; slots bound ways."""
    takes_fewer_columns: ClassVar[bool] = False
    """Whether a table may have fewer columns than the signature: zeros stand behind them, and count as absent."""

    @property
    def gradient_steps(self) -> int:
        """Inner steps of gradient descent that one adaptation takes; 0 for algorithms that take none."""
        return 0

    @property
    def backward_passes(self) -> int:
        """Those of them that go back through the whole network, and not through its last layer alone."""
        return self.gradient_steps

    @property
    def unrolled_steps(self) -> int:
        """Those of them that a meta-gradient goes back through, each with its activations kept."""
        return self.gradient_steps

    @property
    def query_passes(self) -> int:
        """Passes over the query set that one episode's meta-loss takes."""
        return 1

    @property
    def further_inputs(self) -> int:
        """Columns, or channels, that the network takes beside those of an example."""
        return 0

    @property
    def support_bound(self) -> int | None:
        """The most examples that one adaptation may have; None where the algorithm sets no bound."""
        return None
