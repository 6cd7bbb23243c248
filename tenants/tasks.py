"""Celery tasks of tenants. Each may come any number of times."""

from celery import shared_task

from tenants.access.expiry_reminders import remind_of_ending_keys as remind
from tenants.licences.notices import keep_due_notices
from tenants.lifecycle import exports, removal, retention


@shared_task(name="tenants.sweep_retention", ignore_result=True)
def sweep_retention() -> None:
    """Housekeeping: remove what is older than its retention, and note the figures of what is kept."""
    retention.sweep_retention()


@shared_task(name="tenants.write_exports", ignore_result=True)
def write_exports() -> None:
    """Write the exports that are asked for, and those whose writer is gone."""
    exports.write_exports()


@shared_task(name="tenants.advance_removals", ignore_result=True)
def advance_removals() -> None:
    """Take the removal of tenants whose deletion is due as far as it goes now."""
    removal.advance_removals()


@shared_task(name="tenants.remind_of_ending_keys", ignore_result=True)
def remind_of_ending_keys() -> None:
    """Tell admins of keys that end soon."""
    remind()


@shared_task(name="tenants.tell_of_licences", ignore_result=True)
def tell_of_licences() -> None:
    """Keep, for mails and the audit, that licences end. What a licence grants does not depend on it."""
    keep_due_notices()
