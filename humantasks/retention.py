"""Retention of human tasks and of the mails about them."""

from typing import Final

from django.db.models import Q

from tenants.lifecycle.protocols import RetentionRule
from tenants.lifecycle.retention import days_ago, rows_before

RULES: Final = (
    RetentionRule(
        "human_tasks",
        ("humantasks.HumanTask", "humantasks.TaskDecision", "humantasks.TaskComment"),
        "As long as their run.",
    ),
    RetentionRule(
        "mails",
        ("humantasks.Notice",),
        "`MAIL_RETENTION_DAYS` after they were written, once they are sent or given up; or as long as their task.",
        sweep=rows_before(
            "humantasks.Notice", "created_at", days_ago("MAIL_RETENTION_DAYS"), only=lambda: Q(next_at__isnull=True)
        ),
    ),
)
