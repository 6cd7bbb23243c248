"""Rows of usage: tokens and cost of model calls, and holds for those in flight."""

from typing import Final
from uuid import UUID

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models import Tenant

MAX_DIGITS, DECIMAL_PLACES = 24, 12
"""Of costs: exact for tokens of any price with six decimals per million."""


class UsageEntry(models.Model):
    """One call of a model; insert only, in the transaction of the event that tells of it.

    Outlives its run, so ``run_id`` is no reference.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run_id = models.UUIDField()
    seq = models.PositiveIntegerField(help_text="The event of the run that reports it.")
    ordinal = models.PositiveIntegerField(help_text="Which call of that event.")
    at = models.DateTimeField()
    segment_id = models.CharField(max_length=64)
    step_id = models.CharField(max_length=64)
    activation = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    connection = models.CharField(max_length=200)
    provider = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    input_tokens = models.PositiveIntegerField()
    output_tokens = models.PositiveIntegerField()
    cost = models.DecimalField(
        "cost in US dollars",
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        help_text="Empty: no price is known.",
    )
    estimated = models.BooleanField(help_text="Tokens or price are a guess.")
    latency_ms = models.PositiveIntegerField("latency (ms)")
    request_id = models.CharField(max_length=200, blank=True, help_text="The provider's name for the call.")
    prompt = models.CharField(max_length=200, blank=True, help_text="The stored prompt, with its version.")
    is_test = models.BooleanField(help_text="A step tried out from the catalog.")

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "usage entries"
        constraints = [models.UniqueConstraint(fields=["run_id", "seq", "ordinal"], name="usage_once")]
        indexes = [models.Index(fields=["tenant", "-id"], name="usage_by_tenant")]

    def __str__(self) -> str:
        return f"{self.model} for {self.run_id}:{self.seq}"


class UsageDay(models.Model):
    """Sums of a tenant's entries of one day (UTC) by segment and model, counted in the entries' transaction.

    ``shard`` keeps the writers of several hosts from waiting for each other; what is read is the sum over shards.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    segment_id = models.CharField(max_length=64)
    provider = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    is_test = models.BooleanField()
    shard = models.PositiveSmallIntegerField()
    calls = models.PositiveBigIntegerField()
    input_tokens = models.PositiveBigIntegerField()
    output_tokens = models.PositiveBigIntegerField()
    cost = models.DecimalField("cost in US dollars", max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    unpriced_calls = models.PositiveBigIntegerField(help_text="Calls whose cost is not known; not in the cost.")
    estimated_calls = models.PositiveBigIntegerField(help_text="Calls whose tokens or price are a guess.")

    objects = TenantManager()

    class Meta:
        verbose_name = "usage by day"
        verbose_name_plural = "usage by day"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "day", "segment_id", "provider", "model", "is_test", "shard"], name="usage_day_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.segment_id} {self.model}"


class BudgetHold(models.Model):
    """Part of a tenant's day that one attempt in flight holds; released with its outcome, or with its host."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run_id = models.UUIDField()
    step_id = models.CharField(max_length=64)
    activation = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    tokens = models.PositiveBigIntegerField()
    cost = models.DecimalField(max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    worker_id = models.UUIDField()

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run_id", "step_id", "activation", "attempt"], name="hold_once"),
        ]
        indexes = [
            models.Index(fields=["tenant"], name="hold_by_tenant"),
            models.Index(fields=["worker_id"], name="hold_by_worker"),
        ]

    def __str__(self) -> str:
        return f"{self.tokens} tokens for {self.run_id} {self.step_id}#{self.activation}"


class ModelPrice(models.Model):
    """One version of what a model's tokens cost; never changed, another version is another row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="+", help_text="Empty: for every tenant."
    )
    provider = models.CharField(max_length=64, help_text="As in connections: `openai`, `anthropic`, ...")
    model = models.CharField(
        max_length=200,
        validators=[RegexValidator(r"\A[^*]+\*?\Z", "A star stands at the end only.")],
        help_text="The model's whole name; or how names begin, with `*` behind: `gpt-4o*`.",
    )
    input_per_million = models.DecimalField(
        max_digits=14,
        decimal_places=6,
        validators=[MinValueValidator(0)],
        help_text="US dollars, tokens of the prompt.",
    )
    output_per_million = models.DecimalField(
        max_digits=14,
        decimal_places=6,
        validators=[MinValueValidator(0)],
        help_text="US dollars, tokens of the answer.",
    )
    valid_from = models.DateTimeField(default=utc_now, help_text="UTC. Calls from then on cost this.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    class Meta:
        verbose_name = "model price"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "model", "valid_from"], nulls_distinct=False, name="price_once"
            ),
            models.CheckConstraint(
                condition=Q(input_per_million__gte=0, output_per_million__gte=0), name="price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} from {self.valid_from:%Y-%m-%d}"


class StartsOfDay(models.Model):
    """Runs a tenant has started in a day (UTC), where its limit of a day is bounded."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    runs = models.PositiveIntegerField()

    objects = TenantManager()

    class Meta:
        verbose_name_plural = "starts of days"
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="starts_of_day_once")]

    def __str__(self) -> str:
        return f"{self.runs} on {self.day}"


BASE_SOURCE: Final = UUID(int=0)
"""The source of what the hourly recount has found."""


class StoragePart(models.Model):
    """Bytes of journals and inputs of a tenant, of one source: a process that counts what it adds, or the recount.

    What the tenant keeps is the sum of its rows. Those of processes are taken into the recount's.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    source = models.UUIDField()
    bytes = models.BigIntegerField()

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "source"], name="storage_part_once")]

    def __str__(self) -> str:
        return f"{self.bytes} bytes of {self.source}"
