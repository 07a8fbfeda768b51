"""An adaptation to a table keeps how many columns that has.

Of earlier ones it is not known: whoever made them put zeros behind, and may go on asking so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("adaptations", sa.Column("n_columns", sa.Integer(), nullable=True))
