"""Arrivals: who is called when a file is there, who is not, and what is taken once."""

from collections.abc import Mapping, Sequence

from services.engine.arrivals import Arrivals
from services.engine.loader import Loader


def read_many(digests: Sequence[str]) -> Mapping[str, bytes]:
    return {digest: digest.encode() for digest in digests if digest != "lost"}


def test_calls_are_told_but_for_those_forgotten_and_files_are_taken_once() -> None:
    arrivals, told = Arrivals(Loader(read_many)), []
    for name, digest in (("first", "a"), ("second", "b"), ("third", "lost"), ("fourth", "b")):
        arrivals.fetch(digest, name, lambda name=name: told.append(name))  # type: ignore[misc]
    assert len(arrivals) == 4
    assert arrivals.forget("second")
    assert not arrivals.forget("second")
    arrivals.start()
    arrivals.stop()
    arrivals._loader._thread.join(60)
    assert sorted(told) == ["first", "fourth", "third"]
    assert set(arrivals.taken()) == {("a", b"a"), ("b", b"b")}
    assert arrivals.taken() == []
    assert not arrivals.forget("first")
