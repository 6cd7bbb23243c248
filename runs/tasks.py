"""Celery tasks of runs. Each may come any number of times, in any order, or never."""

from celery import shared_task

from runs.engine.thread import poke_host


@shared_task(name="runs.poke", ignore_result=True)
def poke(run_id: str | None = None) -> None:
    """Tell the host in this process that there may be work."""
    poke_host()
