"""Removal of rows together with all that hangs on them, in statements, not row by row."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import QuerySet


def remove_rows(model: type[models.Model], ids: Sequence[Any]) -> int:
    """Delete rows of the open transaction, and what refers to them, as the foreign keys' ``on_delete`` says.

    Django's own delete reads every row that hangs on them first; a run may have a hundred thousand events.

    Args:
        model: Whose rows.
        ids: Their primary keys.

    Returns:
        How many rows were deleted, of all tables.

    Raises:
        IntegrityError: Rows are protected by others; told when the transaction ends.
    """
    return _remove(all_rows(model).filter(pk__in=list(ids))) if ids else 0


def all_rows(model: type[models.Model]) -> QuerySet[Any]:
    """Give a model's rows past its manager: the database's role, and whoever asks, says which may be seen."""
    return model._base_manager.all()  # noqa: SLF001 - Django's documented way past the default manager


def _remove(rows: QuerySet[Any]) -> int:
    removed = 0
    for relation in rows.model._meta.get_fields(include_hidden=True):  # noqa: SLF001 - Django's documented way to them
        if not (relation.auto_created and not relation.concrete and (relation.one_to_one or relation.one_to_many)):
            continue
        hanging = all_rows(relation.related_model).filter(**{f"{relation.field.name}__in": rows})
        if relation.on_delete is models.CASCADE:
            removed += _remove(hanging)
        elif relation.on_delete is models.SET_NULL:
            hanging.update(**{relation.field.name: None})
    deleted: int = rows._raw_delete(rows.db)  # noqa: SLF001 - Django's own fast delete
    return removed + deleted
