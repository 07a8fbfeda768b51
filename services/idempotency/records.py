"""What the service says about a request that carries an Idempotency-Key."""

import msgspec


class Fresh(msgspec.Struct, frozen=True):
    """Do the work. Whatever it makes takes its id from `resource_token`, so that doing it again makes no other."""

    resource_token: str


class Replay(msgspec.Struct, frozen=True):
    """The work was done: answer this."""

    status: int
    headers: dict[str, str]
    body: bytes
