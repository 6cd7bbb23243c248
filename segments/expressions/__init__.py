"""The expression language of conditions, transforms and `{{ ... }}` in texts: data in, data out, bounded."""

from segments.expressions.account import Account
from segments.expressions.errors import (
    ExpressionError,
    ExpressionFailed,
    ExpressionSyntaxError,
    LimitPassed,
    MissingName,
)
from segments.expressions.evaluator import Names
from segments.expressions.expression import Expression, parse
from segments.expressions.limits import AccountEmpty
from segments.expressions.template import Template, parse_template

__all__ = [
    "Account",
    "AccountEmpty",
    "Expression",
    "ExpressionError",
    "ExpressionFailed",
    "ExpressionSyntaxError",
    "LimitPassed",
    "MissingName",
    "Names",
    "Template",
    "parse",
    "parse_template",
]
