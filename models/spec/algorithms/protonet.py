"""Prototypical networks' options: none."""

from models.spec.algorithms.algorithm import Algorithm


class ProtoNetSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="protonet"):
    """Prototypical networks (Snell et al. 2017): a class is the mean of its embedded support examples."""
