"""Pages of rows, the newest first: by the time and id of the last one shown, and bounded in bytes."""

from typing import Any, TypeVar

from django.db import models
from django.db.models import Expression, F, Func, IntegerField, Q, TextField, Value
from django.db.models.functions import Cast, Coalesce

from kernel.paging import READ_BYTES, Page, Position, fitting, read_cursor, write_cursor

Row = TypeVar("Row", bound=models.Model)


def bytes_of(*fields: str) -> Any:
    """Say how many bytes some fields of a row have as text; null has none."""
    sizes = [
        Coalesce(Func(Cast(F(field), TextField()), function="octet_length", output_field=IntegerField()), Value(0))
        for field in fields
    ]
    return sum(sizes[1:], sizes[0])


def newest_page(
    rows: models.QuerySet[Row],
    *,
    cursor: str | None,
    limit: int,
    weight: Expression | None = None,
    by: str = "created_at",
) -> Page[Row]:
    """Read one page of rows that have a unique ``id``, those with the latest time first.

    Rows added meanwhile never repeat or push out a row of a later page. To be called inside a tenant's scope.

    Args:
        rows: All there are.
        cursor: Where the page starts; None for the first.
        limit: Rows per page.
        weight: The bytes of what is large in a row. With it the page ends where 4 MiB are read.
        by: The time that orders them; every row has one.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    if cursor:
        after = read_cursor(cursor)
        # The first condition says nothing new, but an index begins there instead of at the newest row
        rows = rows.filter(
            Q(**{f"{by}__lte": after.at}), Q(**{f"{by}__lt": after.at}) | Q(**{by: after.at}, id__lt=after.id)
        )
    rows = rows.order_by(f"-{by}", "-id")

    def cursor_of(row: Row) -> str:
        return write_cursor(Position(at=getattr(row, by), id=row.pk))

    shown = limit
    if weight is not None:
        sizes = list(rows.values_list(weight, flat=True)[: limit + 1])
        shown = min(limit, max(1, fitting(sizes, READ_BYTES)))
    found = list(rows[: shown + 1])
    return Page(found[:shown], cursor_of(found[shown - 1]) if len(found) > shown else None, cursor_of)
