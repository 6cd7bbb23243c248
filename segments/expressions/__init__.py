"""The expression language of conditions, transforms and `{{ ... }}` in texts: data in, data out, bounded."""

from segments.expressions.address import climbs
from segments.expressions.draws import Draws
from segments.expressions.errors import (
    AddressRefused,
    ExpressionError,
    ExpressionFailed,
    ExpressionSyntaxError,
    LimitPassed,
    MissingName,
)
from segments.expressions.evaluator import Names
from segments.expressions.expression import Expression, parse
from segments.expressions.foreign_places import MAX_SHOWN, foreign_marks, foreign_places, named_in
from segments.expressions.fuel_account import FuelAccount
from segments.expressions.functions.date_texts import written_time
from segments.expressions.limits import AccountEmpty
from segments.expressions.template import Form, Template, parse_template

__all__ = [
    "MAX_SHOWN",
    "AccountEmpty",
    "AddressRefused",
    "Draws",
    "Expression",
    "ExpressionError",
    "ExpressionFailed",
    "ExpressionSyntaxError",
    "Form",
    "FuelAccount",
    "LimitPassed",
    "MissingName",
    "Names",
    "Template",
    "climbs",
    "foreign_marks",
    "foreign_places",
    "named_in",
    "parse",
    "parse_template",
    "written_time",
]
