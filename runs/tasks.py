"""Celery tasks of runs. Each may come any number of times, in any order, or never."""

from celery import shared_task

from runs import idempotency
from runs.engine.host.thread import poke_host


@shared_task(name="runs.poke", ignore_result=True)
def poke(run_id: str | None = None) -> None:
    """Tell the host in this process that there may be work. It claims whatever is due, so no id is looked at."""
    poke_host()


@shared_task(name="runs.drop_old_idempotency_keys", ignore_result=True)
def drop_old_idempotency_keys() -> None:
    """Housekeeping: forget the keys of starts after a day."""
    idempotency.drop_old_idempotency_keys()
