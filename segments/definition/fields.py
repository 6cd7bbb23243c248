"""Read the keys of one JSON object: each by its name or an alias, with its type and bounds checked."""

from collections.abc import Collection, Mapping
from typing import Final

from kernel.types import Json
from segments.definition.findings import FindingPlace, Findings, shown
from segments.definition.foreign_exports import foreign_key_hint

MAX_TEXT: Final = 10_000
MAX_PORTS: Final = 200
MAX_PORT_NAME: Final = 128


class Fields:
    """The keys of one object that were not read yet.

    A key whose value is null counts as not written. What has the wrong type is reported and counts as not written,
    so that the rest of the document can still be judged.
    """

    def __init__(self, source: Mapping[str, Json], place: FindingPlace, findings: Findings) -> None:
        self._left = dict(source)
        self._known: list[str] = []
        self.place = place
        self.findings = findings

    def take(self, key: str, *aliases: str) -> Json:
        """Give the value of a key, or of the first of its aliases that is written; None when none is.

        An alias is an info finding; one beside the key it stands for is dropped with a warning.
        """
        self._known += (key, *aliases)
        value = self._left.pop(key, None)
        for alias in aliases:
            written = self._left.pop(alias, None)
            if written is None:
                continue
            if value is not None:
                message = f"'{alias}' is ignored, because another key says the same."
                self.findings.warning("ALIAS_IGNORED", message, self.place.at(alias))
                continue
            value = written
            self.findings.moved(self.place.at(key).path, self.place.at(alias).path)
            self.findings.info("ALIAS_READ", f"'{alias}' is read as '{key}'.", self.place.at(alias))
        return value

    def has(self, key: str) -> bool:
        """Whether a key is written and was not read yet."""
        return self._left.get(key) is not None

    def text(self, key: str, *aliases: str, limit: int = MAX_TEXT) -> str | None:
        """Read a text of at most so many characters."""
        value = self.take(key, *aliases)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong_type(key, "a text", value)
            return None
        if len(value) > limit:
            self.findings.error("TOO_LARGE", f"'{key}' has more than {limit} characters.", self.place.at(key))
            return None
        return value

    def required_text(self, key: str, *aliases: str) -> str:
        """Read a text that must be there; gives an empty one, with an error finding, when it is not."""
        is_written = any(self.has(name) for name in (key, *aliases))
        value = self.text(key, *aliases)
        if not value and (value == "" or not is_written):
            self.missing(key)
        return value or ""

    def missing(self, key: str) -> None:
        """Report that a key which must be there is not; which of those that are was meant is guessed."""
        hint = self.findings.suggest(key, self._left)
        self.findings.error("MISSING_FIELD", f"'{key}' is missing.", self.place.at(key), hint=hint)

    def flag(self, key: str) -> bool | None:
        """Read true or false."""
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return value
        self.wrong_type(key, "true or false", value)
        return None

    def optional_integer(self, key: str, low: int, high: int) -> int | None:
        """Read a whole number within bounds, both included; 3.0 is one."""
        value = self.optional_number(key, low, high, kind="a whole number")
        if value is None or value == int(value):
            return None if value is None else int(value)
        self.wrong_type(key, "a whole number", value)
        return None

    def integer(self, key: str, low: int, high: int, *, default: int) -> int:
        """Read a whole number within bounds, or give the default."""
        value = self.optional_integer(key, low, high)
        return default if value is None else value

    def optional_number(self, key: str, low: float, high: float, *, kind: str = "a number") -> float | None:
        """Read a number within bounds, both included."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong_type(key, kind, value)
            return None
        if not low <= value <= high:
            message = f"'{key}' must be from {low:g} to {high:g}."
            self.findings.error("SCHEMA_VIOLATION", message, self.place.at(key))
            return None
        return value

    def number(self, key: str, low: float, high: float, *, default: float) -> float:
        """Read a number within bounds, or give the default."""
        value = self.optional_number(key, low, high)
        return default if value is None else value

    def choice(self, key: str, choices: Collection[str]) -> str | None:
        """Read one of some words."""
        value = self.text(key)
        if value is None or value in choices:
            return value
        listed = ", ".join(f"'{choice}'" for choice in choices)
        hint = self.findings.suggest(value, choices)
        message = f"'{key}' must be one of {listed}."
        self.findings.error("SCHEMA_VIOLATION", message, self.place.at(key), hint=hint)
        return None

    def mapping(self, key: str) -> dict[str, Json] | None:
        """Read an object, kept as it is."""
        value = self.take(key)
        if value is None or isinstance(value, dict):
            return value
        self.wrong_type(key, "an object", value)
        return None

    def inner(self, key: str) -> "Fields | None":
        """Read an object whose keys are read one by one."""
        value = self.mapping(key)
        return None if value is None else Fields(value, self.place.at(key), self.findings)

    def listing(self, key: str) -> list[Json] | None:
        """Read a list, its items unseen."""
        value = self.take(key)
        if value is None or isinstance(value, list):
            return value
        self.wrong_type(key, "a list", value)
        return None

    def rest(self) -> dict[str, Json]:
        """Give the keys nobody has read, each with a warning. To be called last."""
        for key in self._left:
            message = f"{shown(key)} is not known here; it is kept and has no effect."
            hint = foreign_key_hint(key, self._known) or self.findings.suggest(key, self._known)
            self.findings.warning("UNKNOWN_FIELD", message, self.place.at(key), hint=hint)
        return self._left

    def wrong_type(self, key: str, wanted: str, value: Json) -> None:
        """Report a value of the wrong type."""
        message = f"'{key}' must be {wanted}, not {kind_of(value)}."
        self.findings.error("INVALID_TYPE", message, self.place.at(key))


def kind_of(value: Json) -> str:
    """Say what a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"


def port_names(value: Json, place: FindingPlace, findings: Findings) -> tuple[str, ...] | None:
    """Read a list of port names. An empty list means "not declared"; a name written twice counts once."""
    if value is None:
        return None
    if not isinstance(value, list):
        findings.error("INVALID_TYPE", f"Ports are a list of names, not {kind_of(value)}.", place)
        return None
    if len(value) > MAX_PORTS:
        findings.error("TOO_LARGE", f"A step has at most {MAX_PORTS} ports on a side.", place)
        return None
    names: dict[str, None] = {}
    for index, name in enumerate(value):
        if _is_port_name(name, place.at(index), findings):
            if name in names:
                message = f"The port {shown(str(name))} is listed twice; it counts once."
                findings.warning("DUPLICATE_ID", message, place.at(index))
            names[str(name)] = None
    return tuple(names) or None


def _is_port_name(name: Json, place: FindingPlace, findings: Findings) -> bool:
    if not isinstance(name, str):
        findings.error("INVALID_TYPE", f"A port's name is a text, not {kind_of(name)}.", place)
        return False
    if not name or len(name) > MAX_PORT_NAME:
        findings.error("SCHEMA_VIOLATION", f"A port's name has 1 to {MAX_PORT_NAME} characters.", place)
        return False
    return True
