"""Headers of parameters are told apart by their digest.

Postgres indexes at most 2704 bytes of a value, and the header of a deep network, or of several, is longer.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BY_HEADER, _BY_DIGEST = "uq_params_headers_header", "uq_params_headers_digest"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite()
        return
    op.add_column("params_headers", sa.Column("digest", sa.LargeBinary(32), nullable=True))
    op.execute("UPDATE params_headers SET digest = sha256(header)")
    op.alter_column("params_headers", "digest", nullable=False)
    op.drop_constraint(_BY_HEADER, "params_headers", type_="unique")
    op.create_unique_constraint(_BY_DIGEST, "params_headers", ["digest"])


def _on_sqlite() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.create_function(
        "sha256", 1, lambda header: hashlib.sha256(header).digest(), deterministic=True
    )
    op.add_column("params_headers", sa.Column("digest", sa.LargeBinary(32), nullable=True))
    op.execute("UPDATE params_headers SET digest = sha256(header)")
    with op.batch_alter_table("params_headers", recreate="always") as altered:
        altered.alter_column("digest", existing_type=sa.LargeBinary(32), nullable=False)
        altered.drop_constraint(_BY_HEADER, type_="unique")
        altered.create_unique_constraint(_BY_DIGEST, ["digest"])
