"""Errors of pure work on their way from another process."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import ValueRefused, ValueTooLarge
from segments.expressions import (
    AddressRefused,
    ExpressionError,
    ExpressionFailed,
    ExpressionSyntaxError,
    LimitPassed,
    MissingName,
)

_EXPRESSION_ERRORS: Final = {
    kind.code: kind for kind in (AddressRefused, ExpressionFailed, ExpressionSyntaxError, LimitPassed, MissingName)
}
_VALUE_ERRORS: Final = {kind.code: kind for kind in (ValueRefused, ValueTooLarge)}


def error_facts(error: ExpressionError | LlmteamError) -> dict[str, Json]:
    """Write an error as plain JSON."""
    if isinstance(error, LlmteamError):
        return {"code": error.code, "message": error.detail, "extra": dict(error.extra)}
    position, hint, place = error.position, error.hint, error.place
    return {"code": error.code, "message": error.message, "position": position, "hint": hint, "place": place}


def read_error(told_error: Mapping[str, Any]) -> ExpressionError | LlmteamError:
    """Make the error that was told."""
    code, message = told_error["code"], told_error["message"]
    if code in _VALUE_ERRORS:
        return _VALUE_ERRORS[code](message, extra=told_error["extra"])
    kind = _EXPRESSION_ERRORS[code]
    error: ExpressionError = kind(message, position=told_error["position"], hint=told_error["hint"])
    error.place = told_error["place"]
    return error
