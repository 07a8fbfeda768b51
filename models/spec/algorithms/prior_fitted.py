"""A prior-fitted transformer's options: none."""

from typing import ClassVar

from models.spec.algorithms.algorithm import Algorithm
from models.spec.signature import Task


class PriorFittedSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="prior_fitted"):
    """In-context learning on small tables, in one forward pass (TabPFN, Hollmann et al. 2023)."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    gives_std: ClassVar[bool] = True
    has_output_layer: ClassVar[bool] = True
    takes_fewer_columns: ClassVar[bool] = True
