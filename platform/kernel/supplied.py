"""Facts that a lower app asks for and an upper app knows: the upper one registers who tells them."""

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Supplied(Generic[Value]):
    """A fact of the installation. An app above registers who tells it while Django sets the apps up.

    So a lower app names no upper one, neither by an import nor by a path in the settings.

    Args:
        what: The fact, in the words of an error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._tell: Callable[[], Value] | None = None

    def register(self, tell: Callable[[], Value]) -> None:
        """Have a function tell the fact, each time it is asked for."""
        self._tell = tell

    def __call__(self) -> Value:
        """Give the fact.

        Raises:
            LookupError: No app has registered anybody who tells it.
        """
        if self._tell is None:
            raise LookupError(f"No app supplies {self._what}.")
        return self._tell()
