"""What leaves a cache that is bounded by bytes, and when."""

from hypothesis import given
from hypothesis import strategies as st

from services.engine.lru import ByteBudget


def test_the_least_recently_used_leaves_first() -> None:
    cache: ByteBudget[int] = ByteBudget(30)
    for name in "abc":
        cache.put(name, ord(name), 10)
    assert cache.get("a") == ord("a")
    cache.put("d", 4, 10)
    assert "b" not in cache
    assert [name in cache for name in "acd"] == [True, True, True]


def test_replacing_a_value_counts_it_once() -> None:
    cache: ByteBudget[str] = ByteBudget(100)
    cache.put("a", "old", 60)
    cache.put("a", "new", 70)
    assert (cache.get("a"), cache.held, len(cache)) == ("new", 70, 1)


def test_a_value_larger_than_the_budget_is_not_held() -> None:
    cache: ByteBudget[str] = ByteBudget(10)
    cache.put("a", "large", 11)
    assert cache.get("a") is None
    assert cache.held == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=60))
def test_what_is_held_is_within_the_budget_and_is_counted_right(puts: list[tuple[str, int]]) -> None:
    cache: ByteBudget[int] = ByteBudget(50)
    sizes: dict[str, int] = {}
    for name, size in puts:
        cache.put(name, size, size)
        sizes[name] = size
        assert cache.held <= 50
        assert cache.held == sum(sizes[name] for name in sizes if name in cache)
