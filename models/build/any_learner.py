"""From a description to whatever learner it is: of classes and numbers, or of a policy."""

from models.algorithms.learner import MetaLearner
from models.algorithms.maml_policy import MamlPolicy
from models.build.learners import build_learner
from models.build.policies import build_policy_learner
from models.networks.kernels import PLAIN, Kernels
from models.spec import LearnerSpec, Signature

AnyLearner = MetaLearner | MamlPolicy


def build_any_learner(
    spec: LearnerSpec, signature: Signature, max_ways: int | None = None, kernels: Kernels = PLAIN
) -> AnyLearner:
    """`build_learner`, or `build_policy_learner` where the signature is a policy's. Raises as they do."""
    if signature.actions is not None:
        return build_policy_learner(spec, signature)
    return build_learner(spec, signature, max_ways, kernels)
