"""The questions of a form, each with what stands in it. Pure."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Final, TypeAlias

from kernel.errors import ErrorItem
from kernel.schemas.reading import Schema
from kernel.types import Json

POSTED_ROOT: Final = "data"
DROPPED_ROOT: Final = "drop"


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""A value that is not there, which is not null."""

Value: TypeAlias = "Json | Absent"


class FieldKind(StrEnum):
    """Kinds of form fields."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    EMAIL = "email"
    PASSWORD = "password"  # noqa: S105 - a kind of field
    URI = "uri"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "date_time"
    TIME = "time"
    CHECKBOX = "checkbox"
    SELECT = "select"
    RADIO = "radio"
    CHECKS = "checks"
    LINES = "lines"
    GROUP = "group"
    ITEMS = "items"
    JSON = "json"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values. ``text`` is what is posted; a title is empty where the value speaks for itself."""

    text: str
    value: Json
    title: str = ""
    is_allowed: bool = True


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form.

    Attributes:
        pointer: Where the answer goes (RFC 6901); empty for the whole.
        place: The same as numbers, for ids in a page.
        kind: How it is asked.
        label: The question.
        help: What the schema says of it.
        original: What was there before, else the schema's default, else ``ABSENT``.
        texts: What stands in it now, as it would be posted.
        fields: The members of a group, or the entries of a list of groups; the last of these is empty, for a new one.
        item: The type of a line, of ``LINES``.
        problems: What is wrong with what stands in it.
        recalled: What somebody had typed before what is shown changed under their hands.
        zone: What an instant is written in.
    """

    pointer: str
    place: str
    kind: FieldKind
    label: str
    help: str = ""
    is_required: bool = False
    is_nullable: bool = False
    original: Value = ABSENT
    texts: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    fields: tuple["Field", ...] = ()
    item: str = "string"
    minimum: int | float | None = None
    maximum: int | float | None = None
    min_length: int | float | None = None
    max_length: int | float | None = None
    schema: Schema | None = None
    problems: tuple[ErrorItem, ...] = ()
    recalled: str = ""
    zone: tzinfo = UTC

    @property
    def name(self) -> str:
        """The name it is posted under."""
        return POSTED_ROOT + self.pointer

    @property
    def drop_name(self) -> str:
        """The name whose presence in a post removes this entry of a list."""
        return DROPPED_ROOT + self.pointer

    @property
    def key(self) -> str:
        """The member of its object it is."""
        return self.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")

    @property
    def text(self) -> str:
        """The text it holds, of a field with one text."""
        return self.texts[0] if self.texts else ""
