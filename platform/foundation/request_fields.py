"""Request fields: serializer fields of bodies and queries, with their part of the API's description.

A field that has ``described`` shows it, members of a JSON Schema, in the description (``llmteam.api.schema``).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any, Final
from uuid import UUID

from rest_framework import serializers

from foundation.shapes import JsonObject
from kernel.ids import ID_FORM, parse_id

_JSON_TYPES: Final[tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...]], ...]] = (
    (serializers.BooleanField, (bool,)),
    (serializers.IntegerField, (int, float)),
    (serializers.FloatField, (int, float)),
    (serializers.CharField, (str,)),
)
"""Types of JSON for the fields for which Django REST framework takes more: 5 for a text, "5" for a number."""


_NEVER_BLANK: Final = (
    serializers.IntegerField,
    serializers.FloatField,
    serializers.ChoiceField,
    serializers.DateTimeField,
    serializers.UUIDField,
)
_NUMBERS: Final = (serializers.IntegerField, serializers.FloatField)
_NUMBER: Final = re.compile(r"[0-9+.eE\s-]*", re.ASCII)
"""Signs of a number in a text. Python would read digits of all scripts, and underscores between them."""
MAX_CHOICES_TOLD: Final = 50
_NO_TIME: Final = "Write a time by RFC 3339, such as `2026-11-30T10:00:00Z`; in an address its `+` is written `%2B`."
_BLANK: Final = "This is blank."
_BLANK_OPTIONAL: Final = "This is blank: leave it out, or send a value."


class Texts(dict[str, Any]):
    """The fields of a form or an address: all are texts, which stand for numbers and for true and false."""


def violations_by_name(fields: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Say of each field what Django REST framework lets pass: nested as the fields are, empty where nothing is wrong.

    In JSON a value has the type of its field; a text is no longer than it may be before the blanks around it are cut.
    """
    return _nested(((name, fields[name], value) for name, value in values.items() if name in fields), values)


def _nested(judged: Iterable[tuple[Any, Any, Any]], values: Any) -> dict[Any, Any]:
    is_json = not isinstance(values, Texts)
    found = ((name, _violations(field, value, is_json=is_json)) for name, field, value in judged if value is not None)
    return {name: violations for name, violations in found if violations}


def _violations(field: Any, value: Any, *, is_json: bool) -> Any:
    is_object = isinstance(field, serializers.DictField) and isinstance(value, dict)
    if is_object or (isinstance(field, serializers.ListField) and isinstance(value, list)):
        members = value.items() if is_object else enumerate(value)
        return _nested(((place, field.child, item) for place, item in members), value)
    of_a_text = None if is_json else _violations_of_text(field, value)
    if of_a_text is not None:
        return of_a_text
    types = next((types for kind, types in _JSON_TYPES if isinstance(field, kind)), None)
    if types is None:
        return None
    if is_json and not (isinstance(value, types) and isinstance(value, bool) == (bool in types)):
        return [serializers.ErrorDetail(field.error_messages["invalid"], "invalid")]
    most = getattr(field, "max_length", None)
    if isinstance(value, str) and most is not None and len(value) > most:
        return [serializers.ErrorDetail(field.error_messages["max_length"].format(max_length=most), "max_length")]
    return None


def _violations_of_text(field: Any, value: Any) -> Any:
    """Say of a text that stands for something else, a number or a choice, that it is blank or has other digits."""
    if not isinstance(value, str):
        return None
    if not value.strip() and _is_never_blank(field):
        return [serializers.ErrorDetail(_BLANK if field.required else _BLANK_OPTIONAL, "blank")]
    if isinstance(field, _NUMBERS) and not _NUMBER.fullmatch(value):
        return [serializers.ErrorDetail(str(field.error_messages["invalid"]), "invalid")]
    return None


def _is_never_blank(field: Any) -> bool:
    """Whether a blank text is no value of a field, though a form has one where nothing was filled in."""
    return isinstance(field, _NEVER_BLANK) and not getattr(field, "allow_blank", False)


def list_accepted_values(field: Any) -> None:
    """Have a field's refusal of a value name those it takes, in lists too."""
    field = getattr(field, "child", field)
    if isinstance(field, serializers.ChoiceField):
        known = ", ".join(f"`{one}`" for one in list(field.choices)[:MAX_CHOICES_TOLD])
        field.error_messages["invalid_choice"] = f'"{{input}}" is not one of {known}.'
    elif isinstance(field, serializers.DateTimeField):
        field.error_messages["invalid"] = _NO_TIME


def whole(*patterns: "str | re.Pattern[str]") -> str:
    """Write an expression for ``fullmatch``, or several of which one is to match, as JSON Schema has it."""
    texts = (pattern if isinstance(pattern, str) else pattern.pattern for pattern in patterns)
    return f"^(?:{'|'.join(texts)})$"


def names(name: str, most: int) -> str:
    """Write an expression for so many names, separated by commas, or none."""
    return whole(f"(?:{name})(?:,(?:{name})){{0,{most - 1}}}", "")


class ObjectField(JsonObject):
    """A JSON object and nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what is not an object."""
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


class FiniteFloat(serializers.FloatField):
    """A number, or its text in a form; never true, NaN or infinity."""

    def to_internal_value(self, data: Any) -> float:
        """Refuse what is no finite number."""
        number: float = super().to_internal_value(data)
        if isinstance(data, bool) or not math.isfinite(number):
            self.fail("invalid")
        return number


class Id(serializers.UUIDField):
    """An id in the one spelling it has in addresses."""

    described: Final = {"pattern": whole(ID_FORM)}

    def to_internal_value(self, data: Any) -> UUID:
        """Refuse other spellings of a UUID."""
        found = parse_id(data)
        if found is None:
            self.fail("invalid", value=str(data)[:64])
        return found


class PatternText(serializers.CharField):
    """A text of a form that is judged behind the field, with an error of its own; the field only tells of it."""

    def __init__(self, *, pattern: str, **options: Any) -> None:
        self.described = {"pattern": pattern}
        super().__init__(**{"trim_whitespace": False, **options})


class ChoiceList(serializers.CharField):
    """Some of a few words, separated by commas; blanks around them count for nothing.

    Args:
        words: The words there are.
        noun: What one of them is; an unknown one is refused as ``UNKNOWN_`` and this.
        once: Whether each may be there only once.
        options: As for any text.
    """

    def __init__(self, *, words: Sequence[str], noun: str, once: bool = False, **options: Any) -> None:
        self.words, self.noun, self.once = words, noun, once
        if once:
            lists = [list(some) for count in range(1, len(words) + 1) for some in permutations(words, count)]
            self.described = {"pattern": whole(*(",".join(f" *{word} *" for word in some) for some in lists))}
        else:
            word = f" *(?:{'|'.join(words)}) *"
            self.described = {"pattern": whole(f"{word}(?:,{word})*")}
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        """Split, and refuse what is none of the words.

        Returns:
            A list.
        """
        wanted = [word.strip(" ") for word in super().to_internal_value(data).split(",")]
        for word in wanted:
            if word not in self.words:
                self._refuse(f"There is no {self.noun} {word[:64]!r}.")
            if self.once and wanted.count(word) > 1:
                self._refuse(f"{word!r} is listed twice.")
        return wanted

    def to_representation(self, value: Any) -> str:
        """Write a list as it is sent."""
        return ",".join(value)

    def _refuse(self, sentence: str) -> None:
        known = ", ".join(self.words)
        raise serializers.ValidationError(f"{sentence} Known are {known}.", f"UNKNOWN_{self.noun.upper()}")
