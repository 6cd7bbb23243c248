"""Accounts of fuel that several evaluations draw on together."""

from typing import Final

from kernel.types import Json
from segments.expressions.draws import Draws
from segments.expressions.evaluator import Names
from segments.expressions.expression import Expression, ReadCounter, parse
from segments.expressions.limits import FUEL, AccountEmpty, Fuel
from segments.expressions.template import Form, parse_template
from segments.expressions.values import text_of

UNLIMITED: Final = 1 << 62
UNITS_PER_CHARACTER: Final = 20
"""For reading the source of an expression that is not remembered."""


class FuelAccount:
    """The work that some evaluations may still do together; each may do no more than it may by itself.

    What an evaluation gives does not depend on the account: either its value, or ``AccountEmpty``. ``draws`` is what
    the evaluations may draw from clock and chance.
    """

    __slots__ = ("_part_of", "draws", "left")

    def __init__(self, units: int = UNLIMITED, *, part_of: "FuelAccount | None" = None) -> None:
        """Start with some units; what is spent is spent of the larger account too, and no more than that has."""
        self.left = units
        self.draws: Draws | None = None
        self._part_of = part_of

    def spend(self, units: int) -> None:
        """Charge for work beside the evaluations.

        Raises:
            AccountEmpty: Fewer units are left.
        """
        self._settle(units)
        if self.left < 0 or (self._part_of is not None and self._part_of.left < 0):
            raise AccountEmpty

    def value_of(self, source: str, names: Names) -> Json:
        """Read and evaluate an expression.

        Raises:
            ExpressionError: As ``parse`` and ``Expression.evaluate``.
            AccountEmpty: It takes more than is left.
        """
        before = ReadCounter.characters
        expression = parse(source)
        self._charge_reading(before)
        return self.evaluate(expression, names)

    def evaluate(self, expression: Expression, names: Names) -> Json:
        """Evaluate an expression; raises as ``value_of``."""
        fuel = self._draw()
        try:
            return expression.evaluate(names, fuel)
        finally:
            self._settle(fuel.spent)

    def render(self, text: str, names: Names, form: Form = Form.VALUE) -> Json:
        """Read and fill in a text.

        Args:
            text: The template.
            names: What the names in it mean.
            form: What kind of text it is.

        Raises:
            ExpressionError: As ``parse_template`` and ``Template.render``.
            AccountEmpty: It takes more than is left.
        """
        before = ReadCounter.characters
        template = parse_template(text, single_braces=True) if form is Form.PROMPT else parse_template(text)
        self._charge_reading(before)
        fuel = self._draw()
        try:
            return template.render(names, fuel, form)
        finally:
            self._settle(fuel.spent)

    def text_of(self, value: Json) -> str:
        """Write a value as text, as a template does; raises as ``render``."""
        fuel = self._draw()
        try:
            return text_of(fuel, value)
        finally:
            self._settle(fuel.spent)

    def _settle(self, spent: int) -> None:
        self.left -= spent
        if self._part_of is not None:
            self._part_of.left -= spent

    def _draw(self) -> Fuel:
        left = self.left
        if self._part_of is not None and self._part_of.left < left:
            left = self._part_of.left
        if left <= 0:
            raise AccountEmpty
        return Fuel(min(FUEL, left), self.draws)

    def _charge_reading(self, before: int) -> None:
        """Charge for what was read of sources since a count; what is remembered costs nothing."""
        if ReadCounter.characters != before:
            self.spend((ReadCounter.characters - before) * UNITS_PER_CHARACTER)
