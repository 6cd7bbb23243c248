"""Query parameters of events: pages and streams, of one run and of a whole tenant."""

import re

from rest_framework import serializers

from foundation.request_fields import PatternText, names
from foundation.requests import Strict
from kernel.ids import ID_FORM
from runs.events.cursor import EVENT_TYPES
from runs.events.stream import MAX_NAMES
from runs.selectors import MAX_SEQ


class EventQuery(Strict):
    """Start of a page of events."""

    after = serializers.IntegerField(
        default=0, min_value=0, max_value=MAX_SEQ, help_text="The `seq` of the last event seen; 0 for all."
    )
    limit = serializers.IntegerField(default=100, min_value=1, max_value=250, help_text="Stored events per page.")


class EventStreamQuery(Strict):
    """Start of a stream of events."""

    after = serializers.IntegerField(default=0, min_value=0, max_value=MAX_SEQ)


class TenantStreamQuery(Strict):
    """Filters and start of a tenant's stream; the filters add up."""

    cursor = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=200,
        help_text="A cursor this list or its streams gave out, unchanged; `now` for what comes from now on. "
        "Without it a page starts with the oldest event, a stream now.",
    )
    event_type = PatternText(
        pattern=names("|".join(map(re.escape, EVENT_TYPES)), MAX_NAMES),
        default="",
        allow_blank=True,
        help_text="One or more types, separated by commas, `data.produced` included.",
    )
    segment = PatternText(
        pattern=names("[^,]*", MAX_NAMES),
        default="",
        allow_blank=True,
        help_text="One or more of segment_id, separated by commas.",
    )
    run = PatternText(
        pattern=names(ID_FORM, MAX_NAMES),
        default="",
        allow_blank=True,
        help_text="One or more of run_id, separated by commas.",
    )


class TenantEventQuery(TenantStreamQuery):
    """A page of them."""

    limit = serializers.IntegerField(default=100, min_value=1, max_value=250, help_text="Stored events per page.")
