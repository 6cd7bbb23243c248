"""Strict bodies and queries, for every app: unknown fields and wrong types are refused, nothing is ignored."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.settings import api_settings

from foundation.request_fields import Texts, list_accepted_values, violations_by_name
from kernel.errors import ErrorItem, Invalid
from kernel.paging import MAX_CURSOR_LENGTH

DEFAULT_LIMIT = 100
MAX_LIMIT = 250


_TWICE: Final = "This is a text, not an object: the JSON was encoded twice."


class NotAvailable(Invalid):
    """A documented field whose effect is not built yet. Refused, because ignoring it would be a lie."""

    code = "NOT_AVAILABLE"
    title = "This is not available yet"


class Strict(serializers.Serializer[Any]):
    """Fields of a body or a query. A member it does not know is an error, and so is one that is announced only.

    Null in an optional field that has no use for it counts as left out: many clients write all the fields they know.
    In JSON a number is not text and a text no number; in a form and in an address (``Texts``) everything is a text.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "This is not an object."}
    not_available: ClassVar[dict[str, str]] = {}
    """By field: the sentence a caller gets who sends it."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """By a name that is no field's: what to write instead."""

    @classmethod
    def read(cls, data: Any) -> Self:
        """Check a body or a query; errors as ``read_query``."""
        serializer = cls(data=data)
        serializer.is_valid(raise_exception=True)
        return serializer

    def get_fields(self) -> dict[str, Any]:
        """Give the fields; what they refuse says what they take."""
        fields = super().get_fields()
        for field in fields.values():
            list_accepted_values(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Check the members' names first, all at once."""
        violations: dict[str, Any] = {}
        if isinstance(data, str) and self.parent is None:
            detail = serializers.ErrorDetail(_TWICE, "invalid")
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [detail]})
        if isinstance(data, dict):
            kept = {name: value for name, value in data.items() if value is not None or not self._is_left_out(name)}
            data = Texts(kept) if isinstance(data, Texts) else kept
            self._refuse_unavailable(data)
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({name: [self._unknown(name)] for name in unknown[:50]})
            violations = violations_by_name(self.fields, data)
        try:
            checked = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors: Any = error.detail
            raise serializers.ValidationError({**errors, **violations}) from None
        if violations:
            raise serializers.ValidationError(violations)
        return checked

    def _unknown(self, name: str) -> serializers.ErrorDetail:
        """Say of an unknown member what to write instead, or which there are."""
        known = ", ".join(f"`{field}`" for field in self.fields) or "none"
        meant = self.elsewhere.get(name)
        instead = f"known are {known}" if meant is None else f"write {meant}"
        return serializers.ErrorDetail(f"There is no such field; {instead}.", "UNKNOWN_FIELD")

    def _is_left_out(self, name: str) -> bool:
        """Whether null in a member means that it is not there."""
        field = self.fields.get(name)
        if field is None:
            return name in self.not_available
        try:
            field.validate_empty_values(None)
        except serializers.ValidationError:
            return not field.required
        return False

    def _refuse_unavailable(self, data: dict[str, Any]) -> None:
        items = [
            ErrorItem(code=NotAvailable.code, detail=sentence, pointer=f"/{name}")
            for name, sentence in self.not_available.items()
            if name in data
        ]
        if items:
            raise NotAvailable(items[0].detail, errors=items)


class NoFields(Strict):
    """A body that says nothing: none, or an empty object."""


class PageQuery(Strict):
    """The two parameters every list has."""

    limit = serializers.IntegerField(
        default=DEFAULT_LIMIT, min_value=1, max_value=MAX_LIMIT, help_text="Rows per page."
    )
    cursor = serializers.CharField(
        default=None,
        allow_null=True,
        max_length=MAX_CURSOR_LENGTH,
        help_text="`next_cursor` of the page before, unchanged.",
    )


def read_query(query: type[Strict], request: Request) -> dict[str, Any]:
    """Read the address's parameters.

    Raises:
        Invalid: A parameter is unknown, sent twice with different values, or has a wrong value; all are told.
        NotAvailable: A parameter is announced only.
    """
    sent = request.query_params
    twice = [name for name in sent if len(set(sent.getlist(name))) > 1]
    if twice:
        raise Invalid(
            errors=[
                ErrorItem(code="SENT_TWICE", detail=f"The parameter `{name[:64]}` has two values.") for name in twice
            ]
        )
    return read_fields(query, Texts(sent.dict()))


def read_fields(fields: type[Strict], data: Any) -> dict[str, Any]:
    """Check a body or a query and give its values; errors as ``read_query``."""
    checked: dict[str, Any] = fields.read(data).validated_data
    return checked
