"""Files fetched beside the device's work: each caller gets its own, equal wishes are one read."""

import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from services.engine.loader import Loader
from services.errors import Unavailable


class Storage:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.files = {"a": b"A", "b": b"B"}
        self.reads: list[list[str]] = []
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0)
        self.broken = False

    def __call__(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        self.reads.append(list(digests))
        self.asked.release()
        assert self.may_answer.acquire(timeout=10)
        if self.broken:
            raise Unavailable("away")
        return {digest: self.files[digest] for digest in digests if digest in self.files}


class Given:
    def __init__(self) -> None:
        self.files: list[bytes | None] = []
        self._came = threading.Semaphore(0)

    def __call__(self, file: bytes | None) -> None:
        self.files.append(file)
        self._came.release()

    def wait(self, count: int) -> list[bytes | None]:
        for _ in range(count):
            assert self._came.acquire(timeout=10)
        return self.files


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def loader(storage: Storage) -> Iterator[Loader]:
    loader = Loader(storage)
    loader.start()
    yield loader
    storage.may_answer.release(100)
    loader.stop()
    loader._thread.join(10)
    assert not loader._thread.is_alive()


def test_what_waits_together_is_one_read_and_equal_wishes_are_one(loader: Loader, storage: Storage) -> None:
    first, a, b, missing = Given(), Given(), Given(), Given()
    loader.fetch("a", first)
    assert storage.asked.acquire(timeout=10)
    loader.fetch("b", b)
    loader.fetch("a", a)
    loader.fetch("c", missing)
    loader.fetch("a", a)
    assert len(loader) == 4
    storage.may_answer.release(2)
    assert first.wait(1) == [b"A"]
    assert (a.wait(2), b.wait(1), missing.wait(1)) == ([b"A", b"A"], [b"B"], [None])
    assert storage.reads == [["a"], ["b", "a", "c"]]
    assert len(loader) == 0


def test_a_storage_that_is_away_leaves_nobody_waiting(loader: Loader, storage: Storage) -> None:
    storage.broken = True
    given = Given()
    loader.fetch("a", given)
    storage.may_answer.release()
    assert given.wait(1) == [None]
    storage.broken = False
    loader.fetch("a", given)
    storage.may_answer.release()
    assert given.wait(1) == [None, b"A"]
