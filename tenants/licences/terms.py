"""Licence terms as text: a few lines that people can read, in one spelling only. Pure.

The text is what a vendor signs, or what the installation seals for a trial; by itself it proves nothing.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from kernel.ids import new_id
from tenants.entitlements.effective import LicensedTerms
from tenants.entitlements.tiers import FEATURES, LIMITS, TIERS

HEADER: Final = "llmteam-licence/v1"
LICENCE_PREFIX: Final = "lic_"
TRIAL_PREFIX: Final = "trial_"
MAX_TEXT_BYTES: Final = 16_384
MAX_LINES: Final = 200
MOST: Final = 2**53 - 1
"""Largest number of a limit that every reader of JSON keeps exactly."""
LAST_YEAR: Final = 2999
UNLIMITED: Final = "unlimited"
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LETTERS: Final = 26
_ID: Final = re.compile(rf"(?:{LICENCE_PREFIX}|{TRIAL_PREFIX})[{_LETTERS}]{{{_ID_LETTERS}}}")
_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]{1,64}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_MAX_HOLDER_LENGTH: Final = 200


class LicenceMalformed(Exception):
    """A text that is no licence's. Its text is a sentence that says where, and what is wanted."""


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms of a licence or a trial: what a tenant may use, and when.

    Attributes:
        licence_id: ``lic_`` or ``trial_`` and 26 letters that sort by the time it was issued.
        tenant: Short name of the tenant it is for.
        tier: One of ``TIERS``.
        first_day: Its first day (UTC).
        last_day: Its last day (UTC), all of which it covers.
        limits: Limits it names itself, beside its tier's; None is unlimited.
        features: Those it opens beside its tier's.
        holder: Who it was issued to.
    """

    licence_id: str
    tenant: str
    tier: str
    first_day: date
    last_day: date
    limits: Mapping[str, int | None]
    features: Sequence[str]
    holder: str

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial, which the installation lends, and no vendor issues."""
        return self.licence_id.startswith(TRIAL_PREFIX)

    @property
    def terms(self) -> LicensedTerms:
        """The terms it grants, for those who put a tenant's entitlements together."""
        return LicensedTerms(self.tier, dict(self.limits), frozenset(self.features))


def new_licence_id(prefix: str = LICENCE_PREFIX) -> str:
    """Make the id of a licence; later ones are greater."""
    return prefix + _letters_of(new_id())


def write_licence(licence: Licence) -> str:
    """Write a licence in its one spelling; ``read_licence`` gives it back.

    Raises:
        LicenceMalformed: No such licence can be read.
    """
    lines = [
        HEADER,
        f"id {licence.licence_id}",
        f"tenant {licence.tenant}",
        f"tier {licence.tier}",
        f"from {licence.first_day.isoformat()}",
        f"until {licence.last_day.isoformat()}",
        *(f"limit {name} {UNLIMITED if value is None else value}" for name, value in licence.limits.items()),
        *(f"feature {name}" for name in licence.features),
        f"holder {licence.holder}",
    ]
    text = "".join(f"{line}\n" for line in lines)
    read_licence(text)
    return text


def read_licence(text: str) -> Licence:
    """Read a licence.

    Raises:
        LicenceMalformed: A line is missing, in another order, twice, or says what nobody knows: nothing is passed over.
    """
    if len(text.encode(errors="replace")) > MAX_TEXT_BYTES or text.count("\n") > MAX_LINES:
        raise LicenceMalformed(f"A licence has at most {MAX_LINES} lines and {MAX_TEXT_BYTES:,} bytes.")
    return _LicenceLines(text).licence()


class _LicenceLines:
    """The lines of a licence, read from the first to the last."""

    def __init__(self, text: str) -> None:
        if not text.endswith("\n"):
            raise LicenceMalformed("The last line of a licence needs a line end, too.")
        self._lines = text.removesuffix("\n").split("\n")
        self._at = 0

    def licence(self) -> Licence:
        """Read all of them."""
        if self._lines[0] != HEADER:
            raise LicenceMalformed(f"A licence begins with the line {HEADER}.")
        self._at = 1
        licence_id, tenant = self._one("id", _is_id), self._one("tenant", _SLUG.fullmatch)
        tier = self._one("tier", TIERS.__contains__, known=TIERS)
        first_day, last_day = self._day("from"), self._day("until")
        if last_day < first_day:
            raise self._fault("the last day comes before the first")
        limits = dict(self._limit(words) for words in self._several("limit"))
        features = [self._feature(words) for words in self._several("feature")]
        holder = self._one("holder", _is_holder)
        if self._at < len(self._lines):
            raise self._fault("nothing is expected after the holder", at=self._at + 1)
        return Licence(licence_id, tenant, tier, first_day, last_day, limits, features, holder)

    def _one(self, field: str, is_right: Callable[[str], object], *, known: Sequence[str] = ()) -> str:
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        name, _, value = line.partition(" ")
        self._at += 1
        if name != field:
            raise self._fault(f"`{field}` is expected here")
        if not is_right(value):
            raise self._fault(f"this is no {field}" + (f"; there are {', '.join(known)}" if known else ""))
        return value

    def _day(self, field: str) -> date:
        text = self._one(field, _DATE.fullmatch)
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise self._fault("there is no such day") from None
        if day.year > LAST_YEAR:
            raise self._fault(f"a licence ends in {LAST_YEAR} at the latest")
        return day

    def _several(self, field: str) -> Sequence[str]:
        """Give the rest of each line of a kind, in their order; none comes twice."""
        found: dict[str, str] = {}
        while self._at < len(self._lines) and self._lines[self._at].partition(" ")[0] == field:
            rest = self._one(field, str.isprintable)
            name = rest.partition(" ")[0]
            if name in found:
                raise self._fault(f"this {field} comes twice")
            found[name] = rest
        return list(found.values())

    def _limit(self, words: str) -> tuple[str, int | None]:
        name, _, value = words.partition(" ")
        if name not in LIMITS:
            raise self._fault(f"the limit `{name[:64]}` is not known; there are {', '.join(LIMITS)}", at=None)
        if value == UNLIMITED:
            return name, None
        if not _NUMBER.fullmatch(value) or int(value) > MOST:
            raise self._fault(f"the limit `{name}` is a whole number or {UNLIMITED}", at=None)
        return name, int(value)

    def _feature(self, name: str) -> str:
        if name not in FEATURES:
            raise self._fault(f"the feature `{name[:64]}` is not known; there are {', '.join(FEATURES)}", at=None)
        return name

    def _fault(self, sentence: str, *, at: int | None = 0) -> LicenceMalformed:
        """Make the error for the line just read, for another one, or for none."""
        place = "" if at is None else f"Line {at or self._at} of the licence: "
        return LicenceMalformed(f"{place}{sentence if place else sentence[0].upper() + sentence[1:]}.")


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _is_holder(text: str) -> bool:
    return text.isprintable() and 0 < len(text) <= _MAX_HOLDER_LENGTH and text == text.strip()


def _letters_of(number: uuid.UUID) -> str:
    rest, letters = number.int, ""
    for _ in range(_ID_LETTERS):
        rest, index = divmod(rest, len(_LETTERS))
        letters = _LETTERS[index] + letters
    return letters
