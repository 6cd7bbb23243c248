"""Search in the console's list of runs: parts of ids, client references, metadata, names of segments."""

import re
from typing import Final

from django.db.models import Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from kernel.ids import parse_id
from runs.models import Run
from segments.models import Segment
from segments.selectors import of_segment_called

MAX_TERM: Final = 300
MAX_SEARCHED: Final = 20_000
"""Runs, the newest of a list, whose metadata is searched."""
PART_OF_ID: Final = re.compile(r"…?[0-9a-f-]{4,36}", re.IGNORECASE)
OF_METADATA: Final = re.compile(r"([\w.-]{1,64})=(.{1,200})", re.DOTALL)


def search(rows: QuerySet[Run], term: str, *, in_data: bool = True) -> QuerySet[Run]:
    """Keep the runs that a term finds.

    A whole id finds one run and ``name=value`` those with that value in their metadata. Any other term finds a whole
    client reference, a part of a segment's name, and, where it looks like one, any part of an id.

    Args:
        rows: What is searched.
        term: What somebody typed.
        in_data: Whether what callers wrote on their runs is searched too.
    """
    if not term:
        return rows
    if len(term) > MAX_TERM or "\0" in term:
        return rows.none()
    if run_id := parse_id(term):
        return rows.filter(id=run_id)
    if in_data and (named := OF_METADATA.fullmatch(term)):
        newest = rows.order_by("-id").values("id")[:MAX_SEARCHED]
        found = Run.objects.filter(id__in=newest).annotate(found=KeyTextTransform(named[1], "metadata"))
        return rows.filter(Q(id__in=found.filter(found=named[2]).values("id")) | Q(client_reference=term))
    wanted = Q(client_reference=term) if in_data else Q(pk__in=[])
    if Segment.objects.filter(name__icontains=term).exists():
        wanted |= of_segment_called(term)
    if PART_OF_ID.fullmatch(term):
        rows = rows.annotate(id_text=Cast("id", TextField()))
        wanted |= Q(id_text__contains=term.lstrip("…").lower())
    return rows.filter(wanted)
