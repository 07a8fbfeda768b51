"""From descriptions to the things described: explicit tables, one room for each kind of thing.

A version is rebuilt from its learner spec, its signature and its most classes (`models.spec.max_ways_of`, kept
in the manifest), and its meta-parameters, which `check_params` holds against what the learner expects.
"""

from models.build.any_learner import AnyLearner, build_any_learner
from models.build.families import build_environments, build_family
from models.build.learners import build_learner
from models.build.meta_params import check_params
from models.build.networks import build_network
from models.build.policies import build_policy_learner

__all__ = [
    "AnyLearner",
    "build_any_learner",
    "build_environments",
    "build_family",
    "build_learner",
    "build_network",
    "build_policy_learner",
    "check_params",
]
