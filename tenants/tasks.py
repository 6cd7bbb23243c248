"""Celery tasks of tenants. Each may come any number of times."""

from celery import shared_task
from django.contrib.sessions.models import Session

from foundation.scope import unscoped
from kernel.clock import utc_now


@shared_task(name="tenants.drop_ended_sessions", ignore_result=True)
def drop_ended_sessions() -> None:
    """Housekeeping: forget sessions, and sign-ins under way, whose time is over."""
    with unscoped("sessions belong to people, not to tenants"):
        Session.objects.filter(expire_date__lt=utc_now()).delete()
