"""What a recipe is. Plain data, no torch."""

from datetime import UTC, datetime

import msgspec

from models.training.config import MetaTrainingConfig


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that is known to work, with what it is for and what it reaches.

    `created_at` is when its figures were last measured; it changes with the configuration. A recipe whose tasks
    come from a dataset says in `needs` which; its configuration leaves `tasks.dataset` empty for the caller to
    name. What it reaches and how long it takes is in `recipe_figures`.
    """

    name: str
    description: str
    created_at: datetime = datetime(2026, 11, 23, tzinfo=UTC)
    config: MetaTrainingConfig
    needs: str = ""
