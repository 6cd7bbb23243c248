"""Parameters of pages: where they stand in a request, and what they are counted from."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from kernel.numbers import without_fraction
from kernel.types import Json
from kernel.values import MalformedJson, ValueRefused, dump_json, parse_json
from runs.http.body import FORM, is_json
from runs.http.config import Pagination
from runs.http.reading import media_type
from runs.http.request import OutgoingRequest
from runs.step_api.base import StepFailed

USUAL_PAGE: Final = 1
_NUMBER: Final = re.compile(r"\s*(-?[0-9]{1,15})(?:\.0+)?\s*")
_UNNAMED: Final = (None, "")
"""Values that a host takes for none."""
NOT_COUNTED: Final = (
    "The request names the parameter `{name}` already, as {said}: no number to count on from. Leave it out there, or "
    "give the first number as `pagination.start`."
)
OTHER_PLACE: Final = (
    "The request names the parameter `{name}` already, elsewhere or spelled otherwise than the following pages would: "
    "name it in the {place} alone, say `pagination.parameter_in`, or leave it out and give `pagination.start`."
)
NO_MEMBERS: Final = (
    "The parameter `{name}` is to go into the body, which is not an object: write the body as an object, a member "
    "for each "
    "field, or send the parameter in the query."
)


def is_counted(pagination: Pagination) -> bool:
    """Whether pages are asked for by their number, or by how many items came."""
    return pagination.page is not None or pagination.offset is not None


def parameter_of(pagination: Pagination) -> str | None:
    """Give the parameter that tells the pages apart, if one does."""
    return pagination.page or pagination.offset or pagination.parameter


def first_number(pagination: Pagination, request: OutgoingRequest) -> int:
    """Tell the number of the first page, or its offset: ``start``, else what the request says itself, else the usual.

    Raises:
        StepFailed: CONFIG_INVALID: the request says it so that nobody can count on from there, or the parameter is to
            go into a body that has no members. Nothing is sent.
    """
    name = parameter_of(pagination)
    if name is None:
        return 0
    place = _place(pagination, request, name)
    if place == "body" and not isinstance(request.body, dict | None):
        raise StepFailed("CONFIG_INVALID", NO_MEMBERS.format(name=name))
    if pagination.start is not None or not is_counted(pagination):
        return pagination.start or 0
    said = list(named_values(request, name))
    if not said:
        return USUAL_PAGE if pagination.page is not None else 0
    numbers = {_number(value) for _, value in said}
    number = next(iter(numbers))
    if number is None or len(numbers) > 1:
        shown = ", ".join(dump_json(value) for _, value in said)[:200]
        raise StepFailed("CONFIG_INVALID", NOT_COUNTED.format(name=name, said=shown))
    if (place, name) not in {where for where, _ in said}:
        raise StepFailed("CONFIG_INVALID", OTHER_PLACE.format(name=name, place=place))
    return number


def named_values(request: OutgoingRequest, name: str) -> Iterator[tuple[tuple[str, str], Json]]:
    """Give what a request says by a name in any case: place and name, and the value; what says nothing is left out."""
    for place, members in (("query", _query(request.url)), ("body", _members(request))):
        for key, value in members:
            if key.lower() == name.lower() and value not in _UNNAMED:
                yield (place, key), value


def counted(pagination: Pagination, request: OutgoingRequest, number: int) -> OutgoingRequest:
    """Give the same request with the number of its page, or its offset; a text in a body stays one."""
    name = parameter_of(pagination) or ""
    was_text = isinstance(request.body, dict) and isinstance(request.body.get(name), str)
    in_body = _place(pagination, request, name) == "body"
    return with_value(pagination, request, name, str(number) if was_text and in_body else number)


def with_value(pagination: Pagination, request: OutgoingRequest, name: str, value: Json) -> OutgoingRequest:
    """Give the same request with a parameter set, where the config says, else where it stands or fits."""
    if _place(pagination, request, name) == "body":
        return request.with_member(name, value)
    return request.with_parameter(name, value if isinstance(value, str) else dump_json(without_fraction(value)))


def _place(pagination: Pagination, request: OutgoingRequest, name: str) -> str:
    return pagination.parameter_in or ("body" if request.takes_member(name) else "query")


def _query(url: str) -> list[tuple[str, Any]]:
    return [*parse_qsl(url.partition("#")[0].partition("?")[2], keep_blank_values=True)]


def _members(request: OutgoingRequest) -> list[tuple[str, Any]]:
    """Give the members of a body, be it an object, or a form or JSON that is written as text."""
    body, content_type = request.body, request.headers.get("content-type", "")
    if isinstance(body, str) and media_type(content_type) == FORM:
        return [*parse_qsl(body, keep_blank_values=True)]
    if isinstance(body, str) and is_json(content_type):
        try:
            body = parse_json(body, big_integers="text")
        except (MalformedJson, ValueRefused):
            return []
    return [*body.items()] if isinstance(body, dict) else []


def _number(value: Json) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _NUMBER.fullmatch(str(value))
    return None if found is None else int(found[1])
