"""Celery tasks of the audit. Each may come any number of times."""

from celery import shared_task

from audit.reading import jobs
from audit.sealing.sealer import seal_entries


@shared_task(name="audit.seal", ignore_result=True)
def seal() -> None:
    """Seal what is committed and not sealed yet."""
    seal_entries()


@shared_task(name="audit.verify_asked", ignore_result=True)
def verify_asked() -> None:
    """Do the verifications that are asked for, and those whose worker is gone."""
    jobs.verify_asked()
