"""ANIL's options."""

from models.spec.algorithms.inner_loop import UnrolledLoop


class AnilSpec(UnrolledLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="anil"):
    """Almost no inner loop (Raghu et al. 2020): MAML that adapts the last layer alone."""

    @property
    def backward_passes(self) -> int:
        return 0

    @property
    def unrolled_steps(self) -> int:
        # Whatever the steps, the support set goes through the backbone once.
        return min(1, self.inner_steps)
