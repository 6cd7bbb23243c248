"""Seal every secret anew with the first key of SECRET_KEYS; keys behind it may be dropped afterwards. Repeatable."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models

from foundation.scope import unscoped
from tenants.sealing import SealedField, key_ring, open_from, seal_into

BATCH_ROWS = 500


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        for model in apps.get_models():
            fields = [field.name for field in model._meta.concrete_fields if isinstance(field, SealedField)]  # noqa: SLF001 - Django's documented way
            if fields:
                count = sum(_rotate(model, name) for name in fields)
                self.stdout.write(f"{model._meta.label}: {count} sealed anew")  # noqa: SLF001 - as above


def _rotate(model: type[models.Model], field: str) -> int:
    """Seal one field of all rows anew, some at a time, so that nobody waits for long."""
    count = 0
    last = None
    while True:
        with unscoped("secrets of all tenants are sealed anew"):
            rows = model._default_manager.select_for_update().exclude(**{field: ""}).order_by("pk")  # noqa: SLF001 - as above
            batch = list((rows.filter(pk__gt=last) if last else rows)[:BATCH_ROWS])
            for row in batch:
                if not key_ring().is_current(getattr(row, field)):
                    seal_into(row, field, open_from(row, field))
                    row.save(update_fields=[field])
                    count += 1
        if not batch:
            return count
        last = batch[-1].pk
