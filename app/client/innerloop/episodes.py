"""Turns episodes of interaction as a caller has them into what goes on the wire. Sends nothing itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from .errors import InvalidInput
from .tensors import pack_inputs, pack_targets

_NEEDED = ("observations", "actions", "rewards")
_KNOWN = (*_NEEDED, "terminated", "log_probs")


def pack_episodes(episodes: Iterable[Mapping[str, Any]], *, binary: bool = True) -> list[dict[str, Any]]:
    """Episodes to send: mappings of `observations` [T, …], `actions` [T, …] or T whole numbers, `rewards` [T], and
    perhaps `log_probs` [T] of the actions as they were sampled, and `terminated`.

    Raises InvalidInput, with the place, for what is none.
    """
    if isinstance(episodes, Mapping) or not isinstance(episodes, Iterable):
        raise InvalidInput(f"episodes has to be a list of episodes, not {type(episodes).__name__}")
    return [_packed(episode, f"episodes[{number}]", binary) for number, episode in enumerate(episodes)]


def _packed(episode: Mapping[str, Any], place: str, binary: bool) -> dict[str, Any]:
    if not isinstance(episode, Mapping):
        raise InvalidInput(f"{place} is {type(episode).__name__}, not a mapping of {', '.join(_KNOWN)}")
    if missing := [name for name in _NEEDED if name not in episode]:
        raise InvalidInput(f"{place} has no {missing[0]}")
    if unknown := [name for name in episode if name not in _KNOWN]:
        raise InvalidInput(f"{place} has {unknown[0]!r}; an episode has {', '.join(_KNOWN)}")
    packed: dict[str, Any] = {
        "observations": pack_inputs(episode["observations"], f"{place}.observations", binary=binary),
        "actions": pack_targets(episode["actions"], f"{place}.actions", binary=binary),
        "rewards": pack_inputs(episode["rewards"], f"{place}.rewards", binary=binary),
        "terminated": bool(episode.get("terminated", False)),
    }
    if episode.get("log_probs") is not None:
        packed["log_probs"] = pack_inputs(episode["log_probs"], f"{place}.log_probs", binary=binary)
    return packed
