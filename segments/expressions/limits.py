"""The bounds of an expression, and the fuel that is charged for its work.

The figures keep every evaluation below 50 ms and 32 MiB whatever the expression and the data are. Where an event loop
waits for it, an evaluation draws its fuel from an account (`segments.expressions.fuel_account`), which keeps it far
below.
"""

from typing import Any

from segments.expressions.draws import Draws
from segments.expressions.errors import LimitPassed

MAX_SOURCE = 2_000  # characters
MAX_DEPTH = 30  # brackets, prefix operators, conditionals inside each other
MAX_NODES = 500
MAX_HEIGHT = 100  # nodes inside each other, such as the terms of a long sum
MAX_TEXT = 1_000_000  # characters of a text that an expression makes
MAX_LIST = 50_000  # values of a list or object that an expression makes
MAX_INTEGER = 2**53  # beyond it JSON readers disagree about the number
MAX_RESULT = 1_048_576  # bytes of the result as JSON
MAX_RESULT_DEPTH = 64
FUEL = 90_000  # one unit is some 0.3 microseconds of work
TICKS = 5  # of a unit, for what takes less
NODE_TICKS = 4  # for a node of the tree
LEAF_TICKS = 1  # for a constant; a name of a round takes two
ROUND_TICKS = 3  # for a round of a comprehension, without what it evaluates
DISPLAY_TICKS = 2  # for an object that is written down, and for each that goes into another
FORMAT_TICKS = 4  # for a value in a text

CALL_UNITS = 6  # for calling a function or method, before its own work
CHARACTERS_PER_UNIT = 32
VALUES_PER_UNIT = 8
BYTES_PER_UNIT = 40  # of data copied into a result
UNITS_PER_CONTAINER = 1.25  # of the same


LESS_OF_A_LIST = (
    "use functions that take the whole list, such as `sum_by`, `group_by` and `sort_by`, keep only the values you need "
    "first, or do a part of it in a step before"
)
LESS_TEXT = "give it a part of the text, such as `text[:100000]`, or a simpler pattern"


class AccountEmpty(Exception):
    """An account has less left than its work takes. The work may be started again on a larger one: it is pure."""


class Fuel:
    """The work an evaluation may still do.

    With less than an evaluation may have by itself it is drawn from an account: when it is used up, the account is.

    Attributes:
        left: The ticks that are left. What takes some of them may leave less than none: whoever goes on finds out.
        is_shared: Whether it was drawn from an account that has less than an evaluation may have.
        draws: What the evaluation may draw from clock and chance; None where no run executes a step.
    """

    __slots__ = ("_given", "_on_texts", "_patterns", "draws", "is_shared", "left")

    def __init__(self, units: int = FUEL, draws: Draws | None = None) -> None:
        """Start with some units, and with what the evaluation may draw from clock and chance."""
        self.left = self._given = units * TICKS
        self._on_texts = 0
        self.is_shared = units < FUEL
        self.draws = draws
        self._patterns: dict[str, Any] | None = None

    @property
    def spent(self) -> int:
        """The units that have been taken, the last one perhaps in part."""
        return -((self.left - self._given) // TICKS)

    @property
    def patterns(self) -> dict[str, Any]:
        """The regular expressions this evaluation has paid for, compiled."""
        if self._patterns is None:
            self._patterns = {}
        return self._patterns

    def spend(self, units: int) -> None:
        """Take units away before the work is done.

        Raises:
            LimitPassed: Fewer units are left.
        """
        self.left -= units * TICKS
        if self.left < 0:
            raise self.exhausted()

    def spend_on_text(self, units: int) -> None:
        """Take units away for reading a text that was given, where less of it helps; raises as ``spend``."""
        self._on_texts += units
        self.spend(units)

    def read_text(self, characters: int) -> None:
        """Charge for going through a text.

        Raises:
            LimitPassed: Too little fuel is left.
        """
        self.spend(characters // CHARACTERS_PER_UNIT)

    def read_list(self, values: int) -> None:
        """Charge for going through the values of a list or object.

        Raises:
            LimitPassed: Too little fuel is left.
        """
        self.spend(values // VALUES_PER_UNIT)

    def make_text(self, characters: int) -> None:
        """Charge for a new text, before it is made.

        Raises:
            LimitPassed: The text would be too long, or too little fuel is left.
        """
        if characters > MAX_TEXT:
            raise LimitPassed(
                f"The text would be longer than {MAX_TEXT} characters.", hint="keep its parts apart, as a list"
            )
        self.spend(characters // CHARACTERS_PER_UNIT)

    def make_list(self, values: int) -> None:
        """Charge for a new list or object, before it is made.

        Raises:
            LimitPassed: It would hold too many values, or too little fuel is left.
        """
        if values > MAX_LIST:
            raise too_many_values()
        self.spend(values // VALUES_PER_UNIT)

    def grow_list(self, values: int) -> None:
        """Charge for one more value of a list or object, which has this many then.

        Raises:
            LimitPassed: It holds too many values, or too little fuel is left.
        """
        if values > MAX_LIST:
            raise too_many_values()
        self.spend(1)

    def exhausted(self) -> Exception:
        """Give the error of an evaluation that has worked for too long."""
        if self.is_shared:
            return AccountEmpty()
        return LimitPassed(
            f"The expression does too much work on this data: it may do {FUEL} units.",
            hint=LESS_TEXT if self._on_texts > FUEL // 2 else LESS_OF_A_LIST,
        )


def integer_too_large() -> LimitPassed:
    """Give the error of a whole number that not every reader of JSON takes."""
    return LimitPassed("The number is too large: whole numbers go up to 2^53.", hint="keep larger ones as texts")


def number_too_large() -> LimitPassed:
    """Give the error of a number that no reader of JSON takes."""
    return LimitPassed("The number is too large: numbers go up to about 1.8e308.", hint="keep larger ones as texts")


def too_many_values() -> LimitPassed:
    """Give the error of a list or object that would hold too many values."""
    return LimitPassed(
        f"The list or object would hold more than {MAX_LIST} values.",
        hint="keep only those you need, give functions such as `sum_by` the whole list, or take parts: `list[:10000]`",
    )
