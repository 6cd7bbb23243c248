"""Console pages: what models cost, and what tenants take of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from foundation.console import MAX_COUNTED, BoundedPaginator, ConsoleAdmin, DaysFilter, ReadOnlyAdmin, column
from kernel.clock import utc_now
from kernel.ids import parse_id
from runs.models import ModelPrice, UsageDay, UsageEntry
from runs.usage.amounts import money
from runs.usage.costs_page import show_costs
from segments.console import SegmentFilter
from segments.selectors import of_segment_called, segment_name

_GROUP: Final = ("tenant", "day", "segment_id", "provider", "model", "is_test")
_SUMMED: Final = ("calls", "input_tokens", "output_tokens", "cost", "unpriced_calls", "estimated_calls")
MAX_LINES: Final = 20


@dataclass(slots=True)
class UsageLine:
    """A line of the summary above the list: one model of all the rows the filters leave."""

    provider: str
    model: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)

    def add(self, calls: int, input_tokens: int, output_tokens: int, cost: Decimal) -> None:
        """Take a row into account."""
        self.calls += calls
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost += cost

    @property
    def dollars(self) -> str:
        """The cost for people."""
        return money(self.cost)


class SegmentColumn:
    """A column of the name that ``get_queryset`` gives a row's segment."""

    @column("segment", ordering="segment_name")
    def segment(self, row: Any) -> str:
        """Name the segment whose steps made the calls."""
        return str(row.segment_name)


@admin.register(UsageDay)
class UsageDayAdmin(SegmentColumn, ReadOnlyAdmin):
    """Usage of language models by tenant and day in the console."""

    list_help = "Usage of language models by day (UTC), tenant, segment and model; cost in US dollars."
    list_before_template = "console/usage.html"
    list_display = ["day", "tenant", "segment", "provider", "model", "is_test", *(f"all_{n}" for n in _SUMMED)]
    list_filter = [
        ("tenant", AutocompleteSelectFilter),
        ("day", DaysFilter),
        ("segment_id", SegmentFilter),
        ("model", FieldTextFilter),
        "is_test",
    ]
    list_select_related = ["tenant"]
    search_fields = ["segment_id", "segment_name", "model"]
    ordering = ["-day", "tenant__slug", "segment_id", "model", "id"]
    paginator = BoundedPaginator
    fields = [*_GROUP, "segment", *(f"all_{n}" for n in _SUMMED)]

    def get_urls(self) -> list[URLPattern]:
        """Add the page of costs by tenant."""
        return [
            path("costs/", self.admin_site.admin_view(self.costs_view), name="runs_usageday_costs"),
            *super().get_urls(),
        ]

    def costs_view(self, request: HttpRequest) -> HttpResponse:
        """Show what models cost by tenant."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return show_costs(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageDay]:
        """Show one row for those of all writers, with their sums."""
        same = UsageDay.objects.filter(**{name: OuterRef(name) for name in _GROUP}).order_by()
        sums = {f"sum_{name}": Subquery(same.values("day").annotate(all=Sum(name)).values("all")) for name in _SUMMED}
        rows: QuerySet[UsageDay] = super().get_queryset(request)
        return rows.filter(~Exists(same.filter(shard__lt=OuterRef("shard")))).annotate(
            segment_name=segment_name(), **sums
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the sums by model over all pages of the list."""
        answer = super().changelist_view(request, extra_context)
        shown = getattr(answer, "context_data", {}).get("cl")
        if shown is not None:
            names = [f"sum_{name}" for name in ("calls", "input_tokens", "output_tokens", "cost")]
            rows = shown.queryset.order_by().values_list("provider", "model", *names)[:MAX_COUNTED]
            answer.context_data["lines"] = _lines(rows)  # type: ignore[attr-defined]  # a template's answer has it
        return answer

    @column("calls")
    def all_calls(self, row: Any) -> int:
        """Show how many calls."""
        calls: int = row.sum_calls
        return calls

    @column("input tokens")
    def all_input_tokens(self, row: Any) -> str:
        """Show the prompts' tokens."""
        return f"{row.sum_input_tokens:,}"

    @column("output tokens")
    def all_output_tokens(self, row: Any) -> str:
        """Show the answers' tokens."""
        return f"{row.sum_output_tokens:,}"

    @column("cost")
    def all_cost(self, row: Any) -> str:
        """Show the cost."""
        return money(row.sum_cost)

    @column("without a price")
    def all_unpriced_calls(self, row: Any) -> int:
        """Show how many calls are not in the cost."""
        calls: int = row.sum_unpriced_calls
        return calls

    @column("estimated")
    def all_estimated_calls(self, row: Any) -> int:
        """Show for how many calls tokens or price are a guess."""
        calls: int = row.sum_estimated_calls
        return calls


@admin.register(UsageEntry)
class UsageEntryAdmin(SegmentColumn, ReadOnlyAdmin):
    """Single calls."""

    list_help = "Every call of a language model, newest first; written with the outcome of the step that made it."
    list_display = [
        "at", "tenant", "segment", "step_id", "model", "input_tokens", "output_tokens", "dollars", "latency_ms",
    ]  # fmt: skip
    list_filter = [
        ("tenant", AutocompleteSelectFilter),
        ("at", DaysFilter),
        ("segment_id", SegmentFilter),
        ("model", FieldTextFilter),
        "is_test",
        "estimated",
    ]
    list_select_related = ["tenant"]
    search_fields = ["run_id", "request_id"]
    search_help_text = "A run's whole id, the whole name a provider gave to the call, or a part of a segment's name."
    ordering = ["-id"]
    paginator = BoundedPaginator
    fields = [
        "at", "tenant", "run_id", "seq", "ordinal", "segment", "segment_id", "step_id", "activation", "attempt",
        "connection", "provider", "model", "input_tokens", "output_tokens", "dollars", "estimated", "latency_ms",
        "request_id", "prompt", "is_test",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageEntry]:
        """Name the segments."""
        rows: QuerySet[UsageEntry] = super().get_queryset(request)
        return rows.annotate(segment_name=segment_name())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEntry], search_term: str
    ) -> tuple[QuerySet[UsageEntry], bool]:
        """Find by a whole run id, which has an index, else by a whole name of a call or by the segment."""
        term = search_term.strip()
        if not term:
            return queryset, False
        run_id = parse_id(term)
        by_words = Q(request_id=term) | of_segment_called(term)
        return queryset.filter(Q(run_id=run_id) if run_id else by_words), False

    @column("cost")
    def dollars(self, entry: UsageEntry) -> str:
        """Show the cost, if it is known."""
        return "no price" if entry.cost is None else money(entry.cost)


@admin.register(ModelPrice)
class ModelPriceAdmin(ConsoleAdmin):
    """Prices of models in the console."""

    list_help = (
        "What tokens of language models cost, in US dollars per million. A price is never changed: another version is "
        "another row, and what was counted before stays. A tenant's own price comes before that of all; a model "
        "without a row costs its list price, marked as estimated, or has no price."
    )
    list_display = ["provider", "model", "tenant", "input_per_million", "output_per_million", "valid_from", "state"]
    list_filter = [("tenant", AutocompleteSelectFilter), "provider"]
    list_select_related = ["tenant"]
    search_fields = ["provider", "model", "tenant__slug", "tenant__name"]
    ordering = ["provider", "model", "-valid_from"]
    autocomplete_fields = ["tenant"]
    fields = ["provider", "model", "tenant", "input_per_million", "output_per_million", "valid_from"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes a version."""
        return False

    @column("state", colours={"holds": "success", "replaced": "warning", "later": "info"})
    def state(self, price: ModelPrice) -> str:
        """Tell whether it is the version that holds now."""
        now = utc_now()
        if price.valid_from > now:
            return "later"
        newer = ModelPrice.objects.filter(
            tenant=price.tenant_id, provider=price.provider, model=price.model, valid_from__gt=price.valid_from
        )
        return "replaced" if newer.filter(valid_from__lte=now).exists() else "holds"


def _lines(rows: Iterable[tuple[str, str, int, int, int, Decimal]]) -> list[UsageLine]:
    """Add rows up by model, the dearest first, and all of them in a last line."""
    lines: dict[tuple[str, str], UsageLine] = {}
    total = UsageLine("", "all")
    for provider, model, *sums in rows:
        lines.setdefault((provider, model), UsageLine(provider, model)).add(*sums)  # type: ignore[arg-type]  # four sums
        total.add(*sums)  # type: ignore[arg-type]  # as above
    dearest = sorted(lines.values(), key=lambda line: (-line.cost, -line.calls, line.model))
    return [*dearest[:MAX_LINES], total] if lines else []
