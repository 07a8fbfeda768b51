"""From a policy's description to the learner that trains it."""

from models.algorithms.maml_policy import MamlPolicy
from models.build.networks import build_network
from models.networks.heads import WithHead
from models.policies.categorical import Categorical
from models.policies.gaussian import Gaussian
from models.policies.policy import Policy
from models.spec import BoxSpace, LearnerSpec, MamlPolicySpec, Signature


def build_policy_learner(spec: LearnerSpec, signature: Signature) -> MamlPolicy:
    """The learner of a policy that `spec` describes, for one signature; raises ValueError where they do not fit."""
    algorithm, space = spec.algorithm, signature.actions
    if space is None or not isinstance(algorithm, MamlPolicySpec):
        raise ValueError(f"{type(algorithm).__name__} learns no policy, or the tasks are no environments")
    backbone = build_network(spec.network, signature)
    policy: Policy
    if isinstance(space, BoxSpace):
        network = WithHead(backbone, space.width)
        policy = Gaussian(space, network, algorithm.initial_std, algorithm.min_std)
    else:
        policy = Categorical(WithHead(backbone, space.n))
    return MamlPolicy(algorithm, policy)
