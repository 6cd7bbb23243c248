"""Findings about a segment, and the bounded list they are collected in."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kernel.types import Json
from kernel.values import pointer_of
from segments.expressions.hints import nearest

MAX_FINDINGS = 500
MAX_SUGGESTIONS = 50  # a "did you mean" compares texts, which is slow; a hostile document gets no more than this

Path = tuple[str | int, ...]


class Severity(StrEnum):
    """Errors block saving and starting; warnings and infos do not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a segment.

    Attributes:
        severity: Whether it blocks.
        code: Stable, upper snake case.
        message: One sentence for people.
        pointer: JSON pointer (RFC 6901) into the document as it was sent.
        step_id: The step it is about, when it is about one.
        edge: Index of the edge it is about, when it is about one.
        hint: What to write instead.
    """

    severity: Severity
    code: str
    message: str
    pointer: str
    step_id: str | None = None
    edge: int | None = None
    hint: str | None = None

    def to_dict(self) -> dict[str, Json]:
        """Write the finding as the API shows it; every key is always there."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "pointer": self.pointer,
            "step_id": self.step_id,
            "edge": self.edge,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class FindingPlace:
    """Place of a finding: the path in the document, and the step or edge there."""

    path: Path = ()
    step_id: str | None = None
    edge: int | None = None

    def at(self, *parts: str | int) -> "FindingPlace":
        """Give the place further down."""
        return FindingPlace((*self.path, *parts), self.step_id, self.edge)


class Findings:
    """Collects findings; gives the first 500, errors first, and counts the rest."""

    def __init__(self) -> None:
        self._kept: dict[Severity, list[Finding]] = {severity: [] for severity in Severity}
        self._found = 0
        self._suggestions = 0
        self._moved: dict[Path, Path] = {}
        self.failed = False

    def moved(self, canonical: Path, as_sent: Path) -> None:
        """Remember where a thing stands in the document, when that is not where its canonical spelling would put it."""
        self._moved[canonical] = as_sent

    def error(self, code: str, message: str, place: FindingPlace, *, hint: str | None = None) -> None:
        """Add what blocks the segment."""
        self.failed = True
        self._add(Severity.ERROR, code, message, place, hint)

    def warning(self, code: str, message: str, place: FindingPlace, *, hint: str | None = None) -> None:
        """Add what will probably surprise."""
        self._add(Severity.WARNING, code, message, place, hint)

    def info(self, code: str, message: str, place: FindingPlace, *, hint: str | None = None) -> None:
        """Add what is good to know, such as what was read in another way than it was written."""
        self._add(Severity.INFO, code, message, place, hint)

    def suggest(self, wanted: str, candidates: Iterable[str]) -> str | None:
        """Say which of the candidates was probably meant; None when none is near, or after the 50th question."""
        self._suggestions += 1
        return None if self._suggestions > MAX_SUGGESTIONS else nearest(wanted, candidates)

    def all(self) -> tuple[Finding, ...]:
        """Give what was collected, errors first, and a note when something was left out."""
        shown_ones = [finding for severity in Severity for finding in self._kept[severity]][:MAX_FINDINGS]
        left_out = self._found - len(shown_ones)
        if left_out:
            message = f"{left_out} further findings are not shown."
            shown_ones.append(Finding(Severity.WARNING, "TOO_MANY_FINDINGS", message, ""))
        return tuple(shown_ones)

    def _add(self, severity: Severity, code: str, message: str, place: FindingPlace, hint: str | None) -> None:
        self._found += 1
        kept = self._kept[severity]
        if len(kept) < MAX_FINDINGS:
            pointer = pointer_of(self._as_sent(place.path))
            kept.append(Finding(severity, code, message, pointer, place.step_id, place.edge, hint))

    def _as_sent(self, path: Path) -> Path:
        for length in range(len(path), 0, -1):
            as_sent = self._moved.get(path[:length])
            if as_sent is not None:
                return as_sent + path[length:]
        return path


def shown(text: str) -> str:
    """Quote a word of the document for a message: shortened, on one line, printable."""
    short = text if len(text) <= 64 else text[:63] + "…"
    return "'" + "".join(c if c.isprintable() else "?" for c in short) + "'"
