"""Secrets in rows: sealed for their tenant, table, row and field; opened by those who use them."""

from collections.abc import Sequence
from functools import cache

from django.conf import settings
from django.db import models

from kernel.crypto import KeyRing, SealBroken, key_id_of


class SealedField(models.TextField):  # type: ignore[type-arg]  # generic for mypy alone
    """A sealed text; empty where there is no secret. ``manage.py rotate_secrets`` finds every field of this kind."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take what a text field takes; never shown in a form."""
        super().__init__(*args, **{"blank": True, "default": "", "editable": False, **kwargs})  # type: ignore[arg-type]


@cache
def key_ring() -> KeyRing:
    """Give the installation's keys, as the setting SECRET_KEYS has them."""
    return KeyRing(settings.SECRET_KEYS)


def place_of(*, tenant_id: object, table: str, row_id: object, field: str) -> str:
    """Write the place of a secret as it is bound to it."""
    return f"{tenant_id}|{table}|{row_id}|{field}"


def seal_into(row: models.Model, field: str, text: str) -> None:
    """Put a secret into a row of a tenant, sealed; an empty text clears it. Save the row yourself."""
    setattr(row, field, key_ring().seal(text, place=_place(row, field)) if text else "")


def open_from(row: models.Model, field: str) -> str:
    """Open a secret of a row; empty where there is none.

    Raises:
        SealBroken: It was sealed with a key that is not on the ring, or elsewhere.
    """
    sealed: str = getattr(row, field)
    return key_ring().open(sealed, place=_place(row, field)) if sealed else ""


def unusable_keys(rows: Sequence[models.Model], field: str) -> set[str]:
    """Name the keys under which secrets of rows are stored and of which this process can open none."""
    by_key: dict[str, list[models.Model]] = {}
    for row in rows:
        by_key.setdefault(key_id_of(getattr(row, field)), []).append(row)
    return {key_id for key_id, sealed in by_key.items() if not any(_opens(row, field) for row in sealed)}


def _opens(row: models.Model, field: str) -> bool:
    try:
        open_from(row, field)
    except SealBroken:
        return False
    return True


def open_sealed(sealed: str, *, tenant_id: object, table: str, row_id: object, field: str) -> str:
    """Open a secret that was read without its model; errors as ``open_from``."""
    place = place_of(tenant_id=tenant_id, table=table, row_id=row_id, field=field)
    return key_ring().open(sealed, place=place) if sealed else ""


def _place(row: models.Model, field: str) -> str:
    table = row._meta.db_table  # noqa: SLF001 - Django's documented way to a model's table
    tenant_id = getattr(row, "tenant_id")  # noqa: B009 - every sealed row has a tenant
    return place_of(tenant_id=tenant_id, table=table, row_id=row.pk, field=field)
