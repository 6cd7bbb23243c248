"""Prometheus metrics of human tasks, counted once their change is committed. No tenant is named."""

from typing import Final

from django.db import transaction
from prometheus_client import Counter

TASKS_OPENED: Final = Counter("llmteam_human_tasks_opened", "Tasks people were asked.", ["task_type"])
TASKS_ENDED: Final = Counter("llmteam_human_tasks_ended", "Tasks that are over, by how they ended.", ["status"])
MAILS: Final = Counter("llmteam_mails", "Mails about tasks, by what came of a try to send them.", ["outcome"])
SENT: Final = "sent"
FAILED: Final = "failed"
GIVEN_UP: Final = "given_up"
OVER_LIMIT: Final = "over_limit"


def count_behind_commit(counter: Counter, label: str) -> None:
    """Count something the open transaction does; what is rolled back is not counted."""
    transaction.on_commit(counter.labels(label).inc)
