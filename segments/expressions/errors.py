"""Errors of expressions.

ExpressionError            the root: code, message, position, hint
|- ExpressionSyntaxError   EXPRESSION_SYNTAX, found when it is parsed
`- ExpressionFailed        EXPRESSION_FAILED, found when it is evaluated
   |- AddressRefused       PATH_REFUSED
   |- MissingName          EXPRESSION_MISSING_NAME
   `- LimitPassed          EXPRESSION_LIMIT
"""

from collections.abc import Iterable
from typing import ClassVar, Self

QUOTED_CHARACTERS = 60


class ExpressionError(Exception):
    """An expression cannot be used.

    The texts hold words of the expression and names of keys; they never hold a value of the data.

    Attributes:
        code: Stable identifier for programs.
        message: One sentence for people.
        position: Offset in the source, from 0; None when no single place is at fault.
        hint: What to write instead, or None.
        place: Where in a config the expression stands, such as `mapping.total`; empty where nobody said.
    """

    code: ClassVar[str] = "EXPRESSION"
    place: str = ""

    def __init__(self, message: str, *, position: int | None = None, hint: str | None = None) -> None:
        """Keep the parts; see the class."""
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint

    def __str__(self) -> str:
        """Give message, position and hint as one line."""
        position = "" if self.position is None else f" (at position {self.position})"
        advice = "" if self.hint is None else f"; {self.hint}"
        return f"{self.message}{position}{advice}"

    def at(self, place: str) -> Self:
        """Say in which field of a config the expression stands; who said so first knows best."""
        self.place = self.place or place
        return self

    def under(self, part: str) -> Self:
        """Say which part of a config the place so far is in."""
        self.place = part + self.place
        return self

    def sentence(self) -> str:
        """Give the line with the place of the expression before it, where that is known."""
        return f"{self.place}: {self}" if self.place else str(self)


class ExpressionSyntaxError(ExpressionError):
    """The text is not an expression of this language, or is too large to be read."""

    code: ClassVar[str] = "EXPRESSION_SYNTAX"


class ExpressionFailed(ExpressionError):
    """The expression has no value on this data."""

    code: ClassVar[str] = "EXPRESSION_FAILED"


class AddressRefused(ExpressionFailed):
    """A value cannot stand where it would, in a path."""

    code: ClassVar[str] = "PATH_REFUSED"


class MissingName(ExpressionFailed):
    """A name, key or index is not there.

    Attributes:
        wanted: The name as the source spells it; None when it was computed, and may therefore be data.
        candidates: Names that do exist, from which `segments.expressions.hints` suggests the nearest.
        is_absent: Whether an object or a list is there and has no such key or place, so that a `?.` behind it ends.
    """

    code: ClassVar[str] = "EXPRESSION_MISSING_NAME"

    def __init__(
        self,
        message: str,
        *,
        wanted: str | None = None,
        candidates: Iterable[object] = (),
        position: int | None = None,
        hint: str | None = None,
        is_absent: bool = False,
    ) -> None:
        """Keep the parts; see the class."""
        super().__init__(message, position=position, hint=hint)
        self.is_absent = is_absent
        self.wanted = wanted
        self.candidates = candidates


class LimitPassed(ExpressionFailed):
    """The expression would take too much time or memory, or give too large a value; the message has the bound."""

    code: ClassVar[str] = "EXPRESSION_LIMIT"


def quoted(text: str) -> str:
    """Show a word of the source inside backquotes: shortened, on one line, printable."""
    short = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "..."
    return "`" + "".join(c if c.isprintable() else "?" for c in short) + "`"


def uncalled(kind: str, name: str) -> ExpressionFailed:
    """Say that a method is not called; of an object it may as well be a key that is not there, as `items` of a page."""
    hint = f"call it: `.{name}(...)`"
    if kind == "object":
        return MissingName(f"{quoted(name)} is a method, and no key of the object.", hint=hint, is_absent=True)
    return ExpressionFailed(f"{quoted(name)} is a method.", hint=hint)
