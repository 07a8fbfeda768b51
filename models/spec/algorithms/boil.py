"""BOIL's options."""

from models.spec.algorithms.inner_loop import UnrolledLoop


class BoilSpec(UnrolledLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="boil"):
    """Body only in the inner loop (Oh et al. 2021): MAML that adapts everything but the last layer."""
