"""A sealed secret opens with its key at its place, and nowhere else."""

import pytest

from kernel.crypto import KeyRing, SealBroken

ONE, TWO = bytes(range(32)), bytes(range(1, 33))
PLACE = "tenant|table|row|field"


def test_it_opens_at_its_place_and_shows_nothing_before() -> None:
    ring = KeyRing({"a": ONE})
    sealed = ring.seal("s\u00e9cret", place=PLACE)
    assert ring.open(sealed, place=PLACE) == "s\u00e9cret"
    assert "cret" not in sealed
    assert ring.seal("s\u00e9cret", place=PLACE) != sealed, "the same text is sealed anew each time"


@pytest.mark.parametrize("place", ["other|table|row|field", "tenant|table|other|field", "tenant|table|row|other", ""])
def test_it_opens_nowhere_else(place: str) -> None:
    ring = KeyRing({"a": ONE})
    with pytest.raises(SealBroken):
        ring.open(ring.seal("secret", place=PLACE), place=place)


def test_any_change_is_noticed() -> None:
    ring = KeyRing({"a": ONE})
    sealed = ring.seal("secret", place=PLACE)
    for index in range(len(sealed)):
        changed = sealed[:index] + ("A" if sealed[index] != "A" else "B") + sealed[index + 1 :]
        with pytest.raises(SealBroken):
            ring.open(changed, place=PLACE)
    for wrong in ("", "secret", "s1.", "s1.a", "s1.a.", "s1.a.AAAA", "s1.a.\u00e9", sealed[:-8], sealed + "AAAA"):
        with pytest.raises(SealBroken):
            ring.open(wrong, place=PLACE)


def test_the_first_key_seals_and_every_key_opens() -> None:
    old = KeyRing({"a": ONE}).seal("secret", place=PLACE)
    both = KeyRing({"b": TWO, "a": ONE})
    assert both.open(old, place=PLACE) == "secret"
    assert not both.is_current(old)
    new = both.seal("secret", place=PLACE)
    assert both.is_current(new)
    assert KeyRing({"b": TWO}).open(new, place=PLACE) == "secret"


def test_a_key_that_is_gone_is_named() -> None:
    sealed = KeyRing({"a": ONE}).seal("secret", place=PLACE)
    with pytest.raises(SealBroken, match="'a' is not on the ring"):
        KeyRing({"b": TWO}).open(sealed, place=PLACE)
    with pytest.raises(SealBroken):
        KeyRing({"a": TWO}).open(sealed, place=PLACE)


@pytest.mark.parametrize("keys", [{}, {"a": b"short"}, {"a.b": ONE}, {"": ONE}])
def test_a_ring_of_no_keys_or_wrong_ones_is_refused(keys: dict[str, bytes]) -> None:
    assert KeyRing({"a": ONE})
    with pytest.raises(ValueError, match="key"):
        KeyRing(keys)
