"""A model's adaptations are found in the order in which they are listed, however many there are."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_adaptations_model_created_at_id", "adaptations", ["model", "created_at", "id"])
    op.drop_index("ix_adaptations_model_version", "adaptations")
