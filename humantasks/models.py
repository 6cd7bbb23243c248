"""Rows of human tasks: tasks, the decisions about them, and the mails about them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from humantasks.types import Priority, TaskStatus, TaskType
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.models import Run
from tenants.models import Membership, Tenant


class HumanTask(models.Model):
    """Question of one activation of a ``human_task`` step to people; one row each, however often the step is tried.

    Changes while its run's row is locked, then its own, in this order. ``content_hash`` names what is shown; the
    decisions that stand are about exactly that.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="human_tasks", db_index=False)
    segment_id = models.CharField(max_length=64)
    step_id = models.CharField(max_length=64)
    activation = models.PositiveIntegerField()
    started_by = models.CharField(max_length=100, blank=True, help_text="Who started the run.")

    task_type = models.CharField(max_length=16, choices=TaskType)
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    data = JsonTextField(null=True, help_text="What the person decides about.")
    form = JsonTextField(default=dict, help_text="JSON Schema of the answer's data.")
    choices = JsonTextField(default=list, help_text="What may be chosen: value and label.")
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of what is shown.")
    ports = ArrayField(models.CharField(max_length=64), default=list, help_text="The step's ports with an edge.")
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    needed = models.PositiveSmallIntegerField(default=1, help_text="How many approvals it takes.")
    voters = models.PositiveSmallIntegerField(default=1, help_text="How many may decide, at most.")
    four_eyes = models.BooleanField(default=False, help_text="The person who started the run may not decide.")

    asked = models.CharField(max_length=300, blank=True, help_text="Who is asked, as the step or the chain names them.")
    assignee = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    candidate_groups = ArrayField(models.CharField(max_length=100), default=list)
    is_for_all = models.BooleanField(default=False, help_text="Every reviewer of the tenant is asked.")
    is_flagged = models.BooleanField(default=False, help_text="The person the step names is unknown; others are asked.")
    claimed_by = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    first_claimed_at = models.DateTimeField(null=True)

    timeout_seconds = models.FloatField(help_text="How long each of those asked has.")
    reminder_seconds = models.FloatField(null=True)
    chain = ArrayField(models.CharField(max_length=300), default=list, help_text="Who is asked one after the other.")
    level = models.PositiveSmallIntegerField(default=0, help_text="How many of the chain were asked already.")
    on_timeout = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField()
    remind_at = models.DateTimeField(null=True)

    status = models.CharField(max_length=16, choices=TaskStatus, default=TaskStatus.OPEN)
    decision = models.CharField(max_length=16, blank=True)
    choice = models.CharField(max_length=300, blank=True)
    decided_by = models.CharField(max_length=100, blank=True, help_text="The actor whose decision ended it.")
    decided_by_name = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=utc_now)
    ended_at = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "step_id", "activation"], name="task_once"),
            models.CheckConstraint(condition=Q(status__in=TaskStatus.values), name="task_status_known"),
            models.CheckConstraint(condition=Q(task_type__in=TaskType.values), name="task_type_known"),
            models.CheckConstraint(
                condition=Q(status="open", ended_at__isnull=True) | (~Q(status="open") & Q(ended_at__isnull=False)),
                name="task_ends_once",
            ),
            models.CheckConstraint(condition=Q(voters__gte=F("needed"), needed__gte=1), name="task_can_be_approved"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="task_by_tenant"),
            models.Index(fields=["tenant", "-ended_at", "-id"], condition=~Q(status="open"), name="task_ended"),
            models.Index(fields=["tenant", "-priority", "due_at", "id"], condition=Q(status="open"), name="task_open"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it can be decided."""
        return self.status == TaskStatus.OPEN

    @property
    def is_overdue(self) -> bool:
        """Whether its deadline has passed without an answer."""
        return self.is_open and self.due_at <= utc_now()

    @property
    def priority_name(self) -> str:
        """The word for its urgency."""
        return str(Priority(self.priority).label)


class TaskDecision(models.Model):
    """Decision of one person on a task; one each and one a key, and only on the content shown now."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(HumanTask, on_delete=models.CASCADE, related_name="decisions")
    member = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=100)
    key = models.CharField(max_length=32, blank=True, help_text="Public id of the key that decided, or acted for them.")
    name = models.CharField(max_length=300)
    decision = models.CharField(max_length=16)
    choice = models.CharField(max_length=300, blank=True)
    data = JsonTextField(null=True)
    comment = models.TextField(blank=True)
    content_hash = models.CharField(max_length=64, help_text="What was shown.")
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "actor"], name="task_decision_once"),
            models.UniqueConstraint(fields=["task", "member"], name="task_decision_once_a_member"),
            models.UniqueConstraint(fields=["task", "key"], condition=~Q(key=""), name="task_decision_once_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} by {self.name}"


class TaskComment(models.Model):
    """Words of one person about a task before it is decided, or on handing it on; they decide nothing."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(HumanTask, on_delete=models.CASCADE, related_name="comments", db_index=False)
    member = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=100)
    name = models.CharField(max_length=300)
    text = models.TextField()
    created_at = models.DateTimeField(default=utc_now)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "task", "created_at"], name="task_comments_in_order"),
            models.Index(fields=["task"], name="task_comments"),
        ]

    def __str__(self) -> str:
        return f"comment by {self.name}"


class NoticeKind(models.TextChoices):
    """Reasons for a mail about a task."""

    ASKED = "asked", "Asked"
    REMINDED = "reminded", "Reminded"
    ESCALATED = "escalated", "Escalated"
    DELEGATED = "delegated", "Delegated"


class Notice(models.Model):
    """One mail to one member about one task; inserted with what it tells of, sent behind it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(HumanTask, on_delete=models.CASCADE, related_name="notices")
    member = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=16, choices=NoticeKind)
    created_at = models.DateTimeField(default=utc_now)
    next_at = models.DateTimeField(null=True, default=utc_now, help_text="When it is sent; empty once that is over.")
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)

    objects = TenantManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(kind__in=NoticeKind.values), name="notice_kind_known")]
        indexes = [
            models.Index(fields=["tenant", "next_at"], condition=Q(next_at__isnull=False), name="notice_of_tenant_due")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.task_id}"
