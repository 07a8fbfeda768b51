"""An adaptation takes a third less on disk.

Digests become bytes, headers of parameters are kept once, and ids alone are the order of lists.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_FOREIGN_KEY = "fk_adaptations_digest_adapted_params"
_HEADER = "fk_adapted_params_header_id_params_headers"


def upgrade() -> None:
    op.drop_index("ix_adaptations_created_at_id", "adaptations")
    op.drop_index("ix_adaptations_model_created_at_id", "adaptations")
    op.drop_index("ix_adaptations_expires_at", "adaptations")
    op.create_table(
        "params_headers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_params_headers"),
        sa.UniqueConstraint("header", name="uq_params_headers_header"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _on_sqlite()
    else:
        _on_postgres()
    op.create_index("ix_adaptations_model_id", "adaptations", ["model", "id"])
    some = sa.text("expires_at IS NOT NULL")
    op.create_index(
        "ix_adaptations_expires_at", "adaptations", ["expires_at"], sqlite_where=some, postgresql_where=some
    )


def _on_sqlite() -> None:
    """SQLite's columns hold what they are given: values are rewritten, then the declared types."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.create_function("from_digits", 1, bytes.fromhex, deterministic=True)
    connection.create_function("header_size", 1, _header_size, deterministic=True)
    op.execute(
        "INSERT INTO params_headers (header) SELECT DISTINCT substr(params, 1, header_size(params))"
        " FROM adapted_params"
    )
    for table in ("adapted_params", "adaptations"):
        op.execute(f"UPDATE {table} SET digest = from_digits(digest)")  # noqa: S608
    with op.batch_alter_table("adapted_params", recreate="always") as altered:
        altered.add_column(sa.Column("header_id", sa.Integer(), nullable=True))
        altered.alter_column("digest", existing_type=sa.String(64), type_=sa.LargeBinary(32))
        altered.alter_column("params", new_column_name="numbers", existing_type=sa.LargeBinary())
    op.execute(
        "UPDATE adapted_params SET header_id = (SELECT id FROM params_headers"
        " WHERE header = substr(numbers, 1, header_size(numbers))),"
        " numbers = substr(numbers, header_size(numbers) + 1)"
    )
    with op.batch_alter_table("adapted_params", recreate="always") as altered:
        altered.alter_column("header_id", existing_type=sa.Integer(), nullable=False)
        altered.create_foreign_key(_HEADER, "params_headers", ["header_id"], ["id"])
    with op.batch_alter_table("adaptations", recreate="always") as altered:
        altered.alter_column("digest", existing_type=sa.String(64), type_=sa.LargeBinary(32))


def _on_postgres() -> None:
    op.drop_constraint(_FOREIGN_KEY, "adaptations", type_="foreignkey")
    for table in ("adapted_params", "adaptations"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN digest TYPE bytea USING decode(digest, 'hex')")
    op.create_foreign_key(_FOREIGN_KEY, "adaptations", "adapted_params", ["digest"], ["digest"])
    # A header's size stands in its first eight bytes, the least first; no header has a terabyte.
    size = " + ".join(f"get_byte(params, {place})::bigint * {256**place}" for place in range(4))
    header = f"substring(params from 1 for (8 + {size})::int)"
    op.execute(f"INSERT INTO params_headers (header) SELECT DISTINCT {header} FROM adapted_params")  # noqa: S608
    op.add_column("adapted_params", sa.Column("header_id", sa.Integer(), nullable=True))
    op.execute(
        f"UPDATE adapted_params SET header_id = params_headers.id FROM params_headers WHERE header = {header}"  # noqa: S608
    )
    op.execute(
        "UPDATE adapted_params SET params = substring(params from (octet_length(header) + 1))"
        " FROM params_headers WHERE params_headers.id = header_id"
    )
    op.alter_column("adapted_params", "header_id", nullable=False)
    op.alter_column("adapted_params", "params", new_column_name="numbers")
    op.create_foreign_key(_HEADER, "adapted_params", "params_headers", ["header_id"], ["id"])


def _header_size(file: bytes) -> int:
    return min(len(file), 8 + int.from_bytes(file[:8], "little"))
