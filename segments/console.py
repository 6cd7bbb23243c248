"""A filter by segment for the console's lists of other rows."""

from typing import TYPE_CHECKING, Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest

from segments.selectors import of_segment_called

if TYPE_CHECKING:  # unfold has no types; its filters are Django's with other clothes
    from django.contrib.admin import FieldListFilter as TextFilter
else:
    from unfold.contrib.filters.admin import FieldTextFilter as TextFilter


class SegmentFilter(TextFilter):
    """Narrows a list to rows of segments that have a text in their id or name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "segment"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of segments called so."""
        text = cast("Any", self).value()
        return queryset.filter(of_segment_called(text)) if text else queryset
