"""HTTP methods that have their effect each time they are called."""

from typing import Final

from kernel.types import Json

_EACH_TIME: Final = ("POST", "PATCH")


def effect_each_time(method: Json) -> str | None:
    """Name the method a config has, if calls by it have their effect each time; where a template gives it, all such."""
    if method in _EACH_TIME:
        return str(method)
    return " or ".join(_EACH_TIME) if isinstance(method, str) and "{{" in method else None
