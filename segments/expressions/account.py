"""Accounts of fuel that several evaluations draw on together."""

from typing import Any, Final, cast

from kernel.values import Json
from segments.expressions.evaluator import Names
from segments.expressions.expression import Expression, parse
from segments.expressions.limits import FUEL, AccountEmpty, Fuel
from segments.expressions.template import parse_template

UNLIMITED: Final = 1 << 62
UNITS_PER_CHARACTER: Final = 20
"""For reading the source of an expression that is not remembered."""


class Account:
    """The work that some evaluations may still do together; each may do no more than it may by itself.

    What an evaluation gives does not depend on the account: either its value, or ``AccountEmpty``.
    """

    __slots__ = ("_part_of", "left")

    def __init__(self, units: int = UNLIMITED, *, part_of: "Account | None" = None) -> None:
        """Start with some units; what is spent is spent of the larger account too, and no more than that has."""
        self.left = units
        self._part_of = part_of

    def spend(self, units: int) -> None:
        """Charge for work beside the evaluations.

        Raises:
            AccountEmpty: Fewer units are left.
        """
        self._settle(units)
        if self._left() < 0:
            raise AccountEmpty

    def value_of(self, source: str, names: Names) -> Json:
        """Read and evaluate an expression.

        Raises:
            ExpressionError: As ``parse`` and ``Expression.evaluate``.
            AccountEmpty: It takes more than is left.
        """
        return self.evaluate(self._read(parse, source), names)

    def evaluate(self, expression: Expression, names: Names) -> Json:
        """Evaluate an expression; raises as ``value_of``."""
        fuel = self._draw()
        given = fuel.left
        try:
            return expression.evaluate(names, fuel)
        finally:
            self._settle(given - fuel.left)

    def render(self, text: str, names: Names, *, as_prompt: bool = False) -> Json:
        """Read and fill in a text.

        Args:
            text: The template.
            names: What the names in it mean.
            as_prompt: Read ``{name}`` too, and give text whatever the values are.

        Raises:
            ExpressionError: As ``parse_template`` and ``Template.render``.
            AccountEmpty: It takes more than is left.
        """
        if as_prompt:
            template = self._read(parse_template, text, single_braces=True)
            render = template.render_text
        else:
            template = self._read(parse_template, text)
            render = template.render
        fuel = self._draw()
        given = fuel.left
        try:
            return cast("Json", render(names, fuel))
        finally:
            self._settle(given - fuel.left)

    def _left(self) -> int:
        return self.left if self._part_of is None else min(self.left, self._part_of.left)

    def _settle(self, spent: int) -> None:
        self.left -= spent
        if self._part_of is not None:
            self._part_of.left -= spent

    def _draw(self) -> Fuel:
        left = self._left()
        if left <= 0:
            raise AccountEmpty
        return Fuel(min(FUEL, left))

    def _read(self, read: Any, source: str, **options: bool) -> Any:
        """Read a source; what is not remembered is charged for."""
        missed = read.cache_info().misses
        found = read(source, **options)
        if read.cache_info().misses != missed:
            self.spend(len(source) * UNITS_PER_CHARACTER)
        return found
