"""What one outer step costs, estimated before anything is queued. Pure, and rough on purpose.

It exists so that a configuration which no machine could run is refused at once, instead of exhausting the
worker's memory: widths, ways, shots and inner steps each have sane bounds, and their product does not.
"""

import math

from models.spec import (
    EncoderSpec,
    EnvironmentSpec,
    FunctionsSpec,
    GroupSpec,
    LabelledSpec,
    MetaCurvatureSpec,
    MlpSpec,
    NetworkSpec,
    RidgeSpec,
    Signature,
    Sizes,
    TablesSpec,
    TabularMdpSpec,
    TaskFamilySpec,
    TrpoSpec,
    curvature_numbers,
    head_cost,
    network_cost,
    network_inputs_of,
)
from models.spec.cost import PATCHES, tuned_activations
from models.training.config import MetaTrainingConfig

_FLOAT = 4
_KEPT = 4  # copies of every activation and parameter that autograd keeps, as measured with conv4
# So many times more for a policy, as measured on navigation: log-probabilities, ratios and divergences have
# derivatives of their own, and a trust region differentiates once more.
_POLICY, _TRUST_REGION = 3, 5


def step_bytes(config: MetaTrainingConfig, signature: Signature) -> int:
    """Roughly the memory that one outer step needs, in bytes."""
    support, query = examples_of(config)
    signature = signature.encoded
    learner, algorithm = config.learner, config.learner.algorithm
    example = network_inputs_of(learner, signature).example_shape
    network = network_cost(learner.network, example)
    values, weights = network.activations, network.weights
    if isinstance(learner.network, EncoderSpec) and learner.network.is_tuned and signature.is_image:
        values = tuned_activations(example[-1], learner.network.layers, PATCHES)
    if algorithm.gradient_steps:
        # Every inner step keeps its own copy of the parameters, and second order keeps its activations too.
        floats = values * (support * algorithm.unrolled_steps + query * algorithm.query_passes)
        floats += weights * (algorithm.gradient_steps + 1)
    else:
        floats = values * (support + query) + weights
    if isinstance(algorithm, MetaCurvatureSpec):
        floats += curvature_numbers(learner.network, example)
    if isinstance(algorithm, RidgeSpec):
        floats += _last_layer_floats(algorithm, learner.network, signature, support, query)
    ways = config.tasks.most_ways if isinstance(config.tasks, LabelledSpec) else 1
    outputs = signature.answer_width or ways
    floats += head_cost(algorithm, Sizes(support, query, outputs, network.features, network.parts)).numbers
    if isinstance(config.tasks, EnvironmentSpec):
        floats *= _TRUST_REGION if isinstance(config.training.outer, TrpoSpec) else _POLICY
    kept = floats * learner.members * config.training.meta_batch_size * _KEPT
    training = config.training
    drawn = max(training.meta_batch_size, training.test_episodes)
    return kept * _FLOAT + environment_bytes(config.tasks, drawn)


def environment_bytes(tasks: TaskFamilySpec, drawn: int) -> int:
    """What environments themselves hold, whatever the policy, in bytes, where it is worth counting; else 0.

    `drawn` tasks of a meta-test are drawn together.
    """
    if isinstance(tasks, TabularMdpSpec):
        # Weights, the shares that they are, and these once more with the rewards.
        return _FLOAT * 3 * tasks.states * tasks.actions * tasks.states * drawn
    return 0


def examples_of(config: MetaTrainingConfig) -> tuple[int, int]:
    """Support rows (examples, and names of classes) and query examples of the largest episode."""
    tasks = config.tasks
    if isinstance(tasks, LabelledSpec):
        return tasks.support_rows(tasks.most_ways), tasks.most_ways * tasks.n_query
    if isinstance(tasks, EnvironmentSpec):
        steps = tasks.n_trajectories * tasks.horizon
        return steps, steps
    if isinstance(tasks, FunctionsSpec | GroupSpec | TablesSpec):
        return tasks.max_shot, tasks.n_query
    return tasks.n_shot, tasks.n_query


def _last_layer_floats(
    algorithm: RidgeSpec, network: NetworkSpec, signature: Signature, support: int, query: int
) -> int:
    """What a closed-form last layer solves: columns and a square matrix in float64, once for each prior."""
    example = signature.inputs.example_shape
    columns = 1 + network_cost(network, example).features
    if isinstance(network, MlpSpec):
        columns += math.prod(example)
    priors = algorithm.components if signature.task == "regression" else 1
    return 2 * priors * (columns * (support + query) + min(support, columns) ** 2)
