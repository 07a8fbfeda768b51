"""Meta-curvature's options."""

from models.spec.algorithms.inner_loop import UnrolledLoop


class MetaCurvatureSpec(
    UnrolledLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="meta_curvature"
):
    """Meta-curvature (Park & Oliva 2019): MAML with learned matrices that transform the inner gradients."""
