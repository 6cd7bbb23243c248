"""Errors of runs in the console's list: their codes and steps as columns, filters and groups."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, F, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, QueryDict

from runs.models import Run

MAX_GROUPED: Final = 2_000
"""Runs with an error, the newest a list has, that its groups count."""
MAX_GROUPS: Final = 8
_PAGING: Final = frozenset({"p", "o", "all", "e"})


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Runs of a list that ended alike, and the address of the list of just them."""

    count: int
    code: str
    where: str
    address: str


class ErrorPartFilter(admin.SimpleListFilter):
    """Narrows a list to runs whose error has a value; offers those of the newest runs that have one."""

    part = ""
    """Annotation of ``with_errors`` that it compares."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the most frequent of the newest, and the one that is chosen."""
        newest = Run.objects.filter(error__isnull=False).order_by("-id").values("id")[:MAX_GROUPED]
        rows = with_errors(Run.objects.filter(id__in=newest)).order_by().values_list(self.part)
        counted = rows.annotate(n=Count("id")).order_by("-n")[:MAX_GROUPS]
        found = [str(value) for value, _ in counted if value]
        chosen = request.GET.get(str(self.parameter_name))
        return [(value, value) for value in dict.fromkeys([*found, *([chosen] if chosen else [])])]

    def has_output(self) -> bool:
        """Show it also where there is nothing to offer."""
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Keep the runs whose error has the value."""
        value = self.value()
        return queryset.filter(**{self.part: value, "error__isnull": False}) if value else queryset


class ErrorCodeFilter(ErrorPartFilter):
    """Narrows a list to runs with one error code."""

    title = "error code"
    parameter_name = "error_code"
    part = "error_code"


class ErrorStepFilter(ErrorPartFilter):
    """Narrows a list to runs in which one step failed."""

    title = "failing step"
    parameter_name = "error_step"
    part = "error_step"


def with_errors(rows: QuerySet[Run]) -> QuerySet[Run]:
    """Add an error's code, step and connection to runs; the database takes them out, so no error is read whole."""
    return rows.annotate(
        error_code=KeyTextTransform("code", "error"),
        error_step=KeyTextTransform("step_id", "error"),
        error_connection=KeyTextTransform("connection", KeyTextTransform("details", "error")),
    )


def error_groups(rows: QuerySet[Run], asked: QueryDict) -> list[ErrorGroup]:
    """Count the errors of a list by code, step and connection, the most frequent first.

    Args:
        rows: All that the list's filters leave; of the newest ``MAX_GROUPED`` with an error the groups are made.
        asked: The list's address, which each group narrows.
    """
    newest = rows.filter(error__isnull=False).order_by("-id").values("id")[:MAX_GROUPED]
    parts = ("error_code", "error_step", "error_connection")
    grouped = with_errors(Run.objects.filter(id__in=newest)).order_by().values(*parts).annotate(n=Count("id"))
    found: Iterable[Mapping[str, Any]] = grouped.order_by("-n", F("error_code"))[:MAX_GROUPS]
    return [_group(group, asked) for group in found]


def _group(group: Mapping[str, Any], asked: QueryDict) -> ErrorGroup:
    code, step, connection = group["error_code"] or "", group["error_step"] or "", group["error_connection"] or ""
    where = ", ".join(part for part in (f"at {step}" if step else "", connection) if part)
    kept = {name: value for name, value in asked.items() if name not in _PAGING}
    wanted = {**kept, "error_code": code, **({"error_step": step} if step else {})}
    return ErrorGroup(group["n"], code or "no code", where, f"?{urlencode(wanted)}")
