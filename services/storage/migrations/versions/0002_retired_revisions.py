"""Aliases that are made anew go on counting where those of the model that were deleted ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("models", sa.Column("retired_revisions", sa.Integer(), server_default="0", nullable=False))
