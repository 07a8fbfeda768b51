"""What one call asks of the engine, estimated before it is queued, so that none takes it away from the others.

Pure. The memory of long queries does not count: the engine answers them in pieces.
"""

from typing import NamedTuple

from models.spec import (
    AlgorithmSpec,
    AutoSpec,
    LearnerSpec,
    NetworkCost,
    RidgeSpec,
    Signature,
    Sizes,
    head_cost,
    learned_signature,
    network_cost,
    network_inputs_of,
)
from models.spec.algorithms.auto import ESCALATION_PASSES
from models.spec.cost import tuned_activations
from services.adaptation.limits import Limits
from services.errors import Invalid

_FLOAT = 4
_DOUBLE = 8
# Measured: what a gradient step holds of every activation, and a forward pass of its widest layer.
_KEPT = 4
_HELD = 3


class CallCost(NamedTuple):
    """Multiply-adds, and bytes of working memory."""

    operations: int
    bytes: int


class LearnerCost(NamedTuple):
    """What never changes of a version's cost."""

    network: NetworkCost
    last_layer: int
    """Multiply-adds of the output layer for one example; 0 where there is none."""
    columns: int
    """Of a closed-form last layer."""
    regression: bool
    targets: int
    """Columns of a regression's targets; 0 for classification."""
    views: int = 1
    """Of each image: a last layer is fitted to so many times the support."""
    fits: int = 1
    """One after the other, and all kept: of each member to each side of the task."""
    support_bound: int | None = None
    """The most examples that one adaptation may have, None for no bound."""


def learner_cost(learner: LearnerSpec, signature: Signature, max_ways: int | None) -> LearnerCost:
    """Of one version. `max_ways` as in its manifest."""
    signature = learned_signature(learner.network, signature).encoded
    example = signature.inputs.example_shape
    regression = signature.task == "regression"
    outputs = 0
    if learner.algorithm.has_output_layer:
        outputs = signature.answer_width or max_ways or 0
    network = network_cost(learner.network, network_inputs_of(learner, signature).example_shape, outputs)
    fits = learner.turns * learner.members
    network = network._replace(
        activations=learner.views * network.activations,
        widest=learner.views * network.widest,
        weights=fits * network.weights,
        multiply_adds=fits * learner.views * network.multiply_adds,
    )
    raw = example[0] if regression and signature.input_kind == "vectors" else 0
    columns, width = 1 + raw + network.features, signature.target_width if regression else 0
    last_layer = network.features * outputs
    return LearnerCost(
        network, last_layer, columns, regression, width, learner.views, fits, learner.support_bound
    )


def call_cost(
    learner: LearnerCost, algorithm: AlgorithmSpec, support: int, queries: int, ways: int = 1, names: int = 0
) -> CallCost:
    """Of adapting to `support` examples by `algorithm`, its options included, and answering `queries`.

    `ways` are the classes of the support set, as many as are known of; `names` of them are read beside it.
    """
    network = learner.network
    escalates = isinstance(algorithm, AutoSpec) and algorithm.may_escalate(support, ways)
    support += names
    if algorithm.backward_passes:
        # A step is forwards and backwards; at the end the support's loss is one more pass.
        passes = 3 * algorithm.backward_passes + 1
        numbers = _KEPT * (support * network.activations + network.weights)
    else:
        passes = 2
        numbers = _HELD * support * network.widest
    operations = network.multiply_adds * (passes * support + queries)
    # A last layer sees every view of an image as an example.
    given, asked = learner.views * support, learner.views * queries
    head = head_cost(algorithm, Sizes(given, asked, learner.targets or ways, network.features, network.parts))
    fitting, numbers = head.multiply_adds, numbers + _HELD * head.numbers
    if isinstance(algorithm, AutoSpec) and escalates:
        # The most that is done of it at once, a step; all steps together are bounded by the encoder's own size.
        operations += ESCALATION_PASSES * network.multiply_adds * support
        numbers += _KEPT * support * tuned_activations(network.widest, algorithm.layers)
    fitting += 3 * (algorithm.gradient_steps - algorithm.backward_passes) * learner.last_layer * given
    if isinstance(algorithm, RidgeSpec):
        solving = _last_layer(learner, algorithm, given, asked)
        fitting, numbers = fitting + solving.operations, numbers + solving.bytes // _FLOAT
    return CallCost(operations + learner.fits * fitting, _FLOAT * numbers)


def check_cost(
    learner: LearnerCost,
    algorithm: AlgorithmSpec,
    support: int,
    queries: int,
    limits: Limits,
    pointer: str = "/inputs",
    ways: int = 1,
    names: int = 0,
) -> None:
    """Raises Invalid, at the support or else at `pointer`, where a call is beyond the limits or the model."""
    if learner.support_bound is not None and support + names > learner.support_bound:
        found = f"{support} examples" + (f" and {names} names of classes" if names else "")
        place = "/support/inputs" if support else "/support/classes"
        raise Invalid.at(place, f"{found}; this model keeps {learner.support_bound} at most")
    cost = call_cost(learner, algorithm, support, queries, ways, names)
    if cost.operations <= limits.call_operations and cost.bytes <= limits.call_bytes:
        return
    if cost.operations > limits.call_operations:
        found = f"about {cost.operations:.1e} multiply-adds; one call may take {limits.call_operations:.1e}"
    else:
        found = f"about {cost.bytes >> 20} MiB of memory; one call may take {limits.call_bytes >> 20} MiB"
    fewer = ", or take fewer inner_steps" if support and algorithm.gradient_steps > 1 else ""
    given = "/support/episodes" if "policy" in algorithm.tasks else "/support/inputs"
    place = given if support else "/support/classes" if names else pointer
    raise Invalid.at(place, f"this would take {found} (GET /v1/limits): send fewer examples at a time{fewer}")


def _last_layer(learner: LearnerCost, algorithm: RidgeSpec, support: int, queries: int) -> CallCost:
    """What the closed form takes: in float64, and for numbers once for each prior, with a posterior of P x P."""
    columns = learner.columns
    if learner.regression:
        fitted = columns * columns * (support + columns) if support else 0
        operations = fitted + columns * columns * (support + queries)
        numbers = columns * columns + columns * (support + queries)
        return CallCost(algorithm.components * operations, _DOUBLE * _HELD * algorithm.components * numbers)
    side = min(support, columns)
    operations = side * columns * support + side**3
    return CallCost(operations, _DOUBLE * _HELD * (columns * support + side * side))
