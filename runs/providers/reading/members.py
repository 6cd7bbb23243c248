"""The one strict reader of strangers' JSON: members by their types, and whatever else goes wrong while one is read."""

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from runs.providers.errors import failed
from runs.step_api.base import StepFailed

UNFORESEEN: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors that values of types nobody expects run into."""
MAX_NESTED: Final = 8
_NO_WORDS: Final = frozenset(
    (
        "b64_json",
        "data",
        "detail",
        "file_id",
        "format",
        "id",
        "index",
        "media_type",
        "mime_type",
        "name",
        "phase",
        "role",
        "signature",
        "status",
        "type",
        "url",
    )
)
"""Members of a part that say what it is, or hold a picture or a sound; what the model says is in others."""

_log = logging.getLogger(__name__)


@contextmanager
def reading() -> Iterator[None]:
    """Have an answer that runs into anything unforeseen be one that cannot be read, not a crash of the step.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE, or what the block itself raises.
    """
    try:
        yield
    except UNFORESEEN as error:
        raise unreadable(error) from None


def unreadable(error: BaseException) -> StepFailed:
    """Make the failure of an answer that ran into an error, and log where: it may be a fault of ours."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{where[0].name}, line {where[0].lineno}" if where else "an unknown place"
    _log.warning("A model's answer has an unexpected shape: %s in %s.", type(error).__name__, place)
    return failed("LLM_REPLY_UNREADABLE")


def object_of(value: Any) -> dict[str, Any]:
    """Read an object.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: it is none.
    """
    if not isinstance(value, dict):
        raise failed("LLM_REPLY_UNREADABLE")
    return value


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Read a list of objects; one alone is such a list, and so is nothing.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: it is anything else.
    """
    if not value:
        return []
    found = value if isinstance(value, list) else [value]
    return [object_of(one) for one in found]


def number_of(index: Any) -> Any:
    """Read what numbers a part, in whichever type that can.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: an object or a list.
    """
    if isinstance(index, dict | list):
        raise failed("LLM_REPLY_UNREADABLE")
    return index


def members_of(value: Any) -> Mapping[str, Any]:
    """Give the members of an object; of what is none, none: for what an answer can do without."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any, otherwise: str = "") -> str:
    """Give a text that is not empty, else another: for what an answer can do without."""
    return value if isinstance(value, str) and value else otherwise


def words_of(value: Any, depth: int = 0) -> str:
    """Give what is said in a text, in an object around one (``text``, ``value``), or in lists of these."""
    if isinstance(value, str):
        return value
    if depth >= MAX_NESTED:
        return ""
    if isinstance(value, list):
        return "".join(words_of(one, depth + 1) for one in value)
    inner = members_of(value)
    return next((words for name in ("text", "value") if (words := words_of(inner.get(name), depth + 1))), "")


def strictly_words_of(value: Any) -> str:
    """Give what is said as ``words_of`` does, where something is.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: there is something, and no words are found in it.
    """
    words = words_of(value)
    if not words and value not in (None, "", [], {}):
        raise failed("LLM_REPLY_UNREADABLE")
    return words


def holds_words(value: Any, depth: int = 0) -> bool:
    """Tell whether there are words anywhere in a content, also where no format has them."""
    if isinstance(value, str):
        return bool(value.strip())
    if depth >= MAX_NESTED:
        return False
    if isinstance(value, list):
        return any(holds_words(one, depth + 1) for one in value)
    return any(holds_words(inner, depth + 1) for name, inner in members_of(value).items() if name not in _NO_WORDS)
