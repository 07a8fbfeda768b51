"""Who may call, in plain values. A key's secret appears here only in the answer to its creation."""

from datetime import datetime

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """Whoever is calling: the key that was shown."""

    id: str
    name: str


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key once its secret is gone. Revoked keys stay listed."""

    id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None
