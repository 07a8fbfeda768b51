"""A movable name for a version, with the revision tag that makes moving it race-free."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Alias:
    """`model@name` stands for `version`; as `if_match` it lets a change through only if nobody else made one."""

    model: str
    name: str
    version: int
    updated_at: datetime
    etag: str | None


def tag_of(if_match: Alias | str | None) -> str | None:
    """The entity tag to send, quoted as HTTP wants it."""
    tag = if_match.etag if isinstance(if_match, Alias) else if_match
    if tag is None or tag == "*" or tag.endswith('"'):
        return tag
    return f'"{tag}"'
