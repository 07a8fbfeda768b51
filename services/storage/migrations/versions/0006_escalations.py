"""What was found out of tuning an encoder to an adaptation's examples is kept with it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("adaptations", sa.Column("escalation", sa.JSON(), nullable=True))
