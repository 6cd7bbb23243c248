"""A fact that an app above supplies: told anew each time, and missed in a sentence."""

import pytest

from kernel.supplied import Supplied


def test_whoever_is_registered_is_asked_each_time() -> None:
    colours, told = Supplied[list[str]]("the colours"), ["red"]
    colours.register(lambda: list(told))
    assert colours() == ["red"]
    told.append("blue")
    assert colours() == ["red", "blue"]


def test_what_no_app_supplies_is_named() -> None:
    with pytest.raises(LookupError, match="No app supplies the colours"):
        Supplied[list[str]]("the colours")()
