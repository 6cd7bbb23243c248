"""Facts of the apps above: their retention rules, and who executes what tenants start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.apps import apps
from django.db.models import Model

from kernel.supplied import Supplied


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Retention of the rows of some tables.

    Attributes:
        kind: The word for them in figures and docs.
        models: Their models, ``app.Model``; the first is counted, the others go with it.
        keeps: How long, in a sentence of the docs.
        since: The field of the first that its age is told by.
        sweep: Removes at most one batch and returns how many rows that were; None where nothing is removed by age.
    """

    kind: str
    models: tuple[str, ...]
    keeps: str
    since: str = "created_at"
    sweep: Callable[[], int] | None = None

    @property
    def counted_model(self) -> type[Model]:
        """The model whose rows are counted."""
        return apps.get_model(self.models[0])


retention_rules: Supplied[tuple[RetentionRule, ...]] = Supplied("how long rows are kept")
"""All rules of the installation; the wiring above the apps knows them."""


class TenantWork(Protocol):
    """Protocol of the app above that executes what tenants start."""

    @property
    def run_model(self) -> type[Model]:
        """Model of the rows that most others hang on: they go first, a bounded batch at a time."""

    def cancel_runs(self, tenant_id: UUID) -> int:
        """Ask runs of a tenant to end for good; return how many are not over yet."""

    def count_owned(self, tenant_id: UUID) -> int:
        """Count the runs of a tenant that a host executes now."""

    def some_runs(self, tenant_id: UUID) -> list[UUID]:
        """Name some runs of a tenant, as many as can be removed in one transaction."""

    def record_ends(self, run_ids: Sequence[UUID]) -> None:
        """Tell the audit of runs that end by being removed, in the open transaction."""

    def forget(self, tenant_id: UUID) -> None:
        """Remove what Redis has of a tenant."""


tenant_work: Supplied[TenantWork] = Supplied("who executes what tenants start")
