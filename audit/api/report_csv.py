"""A report as CSV, for spreadsheets: no cell of it is taken for a formula."""

import csv
import io
from collections.abc import Callable
from typing import Final

from audit.reading.report import AuditReport, pruning_text, verdict_text

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = ("section", "name", "count", "at", "n", "actor", "object", "receipt")


def cell(value: object) -> str:
    """Write a cell; what a spreadsheet would take for a formula gets an apostrophe in front."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_csv(report: AuditReport, receipt_url: Callable[[int | None], str | None]) -> str:
    """Write a report: one table, whose first column says what a row tells of."""
    text = io.StringIO()
    writer = csv.writer(text)

    def row(section: str, name: object, count: object = None, *more: object) -> None:
        cells = [section, name, count, *more]
        writer.writerow([cell(one) for one in [*cells, *[None] * (len(COLUMNS) - len(cells))]])

    writer.writerow(COLUMNS)
    row("log", report.log)
    row("from", report.since.isoformat())
    row("to", report.until.isoformat())
    row("entries", None, report.entries)
    if report.pruned_before:
        row("pruned", pruning_text(report), None, report.pruned_before.isoformat())
    for section, lines in (("action", report.actions), ("actor", report.actors), ("outcome", report.outcomes)):
        for line in lines:
            row(section, line.name, line.count)
    for one in report.decisions:
        said = one.decision if one.choice is None else f"{one.decision}: {one.choice}"
        about = f"{one.object_type}:{one.object_id}"
        row("decision", said, None, one.at.isoformat(), one.n, one.actor, about, receipt_url(one.n))
    row("verdict", verdict_text(report), None, report.verified_at and report.verified_at.isoformat())
    return text.getvalue()
