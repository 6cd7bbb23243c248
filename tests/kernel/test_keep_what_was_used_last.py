"""A bounded cache: what makes room, what is over, what is given back to be closed."""

import time

from kernel.bounded_cache import BoundedCache


def kept(cache: BoundedCache[str, str], *keys: str) -> list[str | None]:
    return [cache.get(key) for key in keys]


def test_a_value_is_kept_by_its_key_until_it_is_taken_out() -> None:
    cache: BoundedCache[str, str] = BoundedCache(2)
    assert cache.get("a") is None
    assert cache.put("a", "A") == []
    assert (cache.get("a"), len(cache)) == ("A", 1)
    assert (cache.pop("a"), cache.pop("a"), cache.get("a"), len(cache)) == ("A", None, None, 0)


def test_the_one_used_longest_ago_makes_room() -> None:
    cache: BoundedCache[str, str] = BoundedCache(2)
    cache.put("a", "A")
    cache.put("b", "B")
    assert cache.put("c", "C") == ["A"]
    cache.get("b")
    assert cache.put("d", "D") == ["C"]
    cache.put("b", "again")
    assert cache.put("e", "E") == ["D"]
    assert kept(cache, "a", "b", "c", "d", "e") == [None, "again", None, None, "E"]


def test_a_value_in_the_place_of_another_gives_that_back() -> None:
    cache: BoundedCache[str, str] = BoundedCache(1)
    cache.put("a", "old")
    assert cache.put("a", "new") == ["old"]
    assert kept(cache, "a") == ["new"]


def test_heavy_values_take_the_room_of_many_and_one_that_is_too_heavy_is_not_kept() -> None:
    cache: BoundedCache[str, str] = BoundedCache(10)
    for key in "abc":
        cache.put(key, key.upper(), weight=3)
    assert cache.put("d", "D", weight=5) == ["A", "B"]
    assert (kept(cache, "c", "d"), cache.weight) == (["C", "D"], 8)
    cache.put("c", "C", weight=5)
    assert cache.weight == 10
    assert cache.put("e", "E", weight=11) == ["E"]
    assert (kept(cache, "c", "d", "e"), cache.weight) == (["C", "D", None], 10)


def test_a_value_whose_time_is_over_is_not_given() -> None:
    cache: BoundedCache[str, str] = BoundedCache(3)
    cache.put("for good", "x")
    cache.put("for an hour", "y", until=time.monotonic() + 3600)
    cache.put("over", "z", until=time.monotonic())
    assert kept(cache, "for good", "for an hour", "over") == ["x", "y", None]
    assert cache.pop("over") == "z", "who closes it still gets it"


def test_some_or_all_are_forgotten() -> None:
    cache: BoundedCache[str, str] = BoundedCache(3)
    for key in "abc":
        cache.put(key, key.upper(), weight=1)
    cache.drop(lambda value: value == "B")
    assert (kept(cache, "a", "b", "c"), cache.weight) == (["A", None, "C"], 2)
    assert cache.clear() == ["A", "C"]
    assert (len(cache), cache.weight) == (0, 0)
