"""Celery tasks of runs. Each may come any number of times, in any order, or never."""

from celery import shared_task

from runs.engine.host.thread import poke_host
from runs.lifecycle import storage_recount, suspensions
from runs.webhooks import health


@shared_task(name="runs.poke", ignore_result=True)
def poke(run_id: str | None = None) -> None:
    """Tell the host in this process that there may be work. It claims whatever is due, so no id is looked at."""
    poke_host()


@shared_task(name="runs.settle_suspensions", ignore_result=True)
def settle_suspensions() -> None:
    """Pause runs of tenants that were suspended so, and resume those of tenants that were resumed."""
    suspensions.settle_suspensions()


@shared_task(name="runs.look_after_endpoints", ignore_result=True)
def look_after_endpoints() -> None:
    """Tell of webhook endpoints that fail, and disable those that did for days."""
    health.look_after_endpoints()


@shared_task(name="runs.recount_storage", ignore_result=True)
def recount_storage() -> None:
    """Count anew what tenants keep of journals and inputs."""
    storage_recount.recount_storage()
