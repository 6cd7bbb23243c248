"""Shapes every app's descriptions share."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema_field, inline_serializer
from rest_framework import serializers

PRECONDITIONS = [
    OpenApiParameter(
        "If-Match", str, OpenApiParameter.HEADER, description="Change only the content with one of these entity tags."
    ),
    OpenApiParameter(
        "If-None-Match",
        str,
        OpenApiParameter.HEADER,
        description="Change no content with one of these entity tags; `*`: change nothing that is there.",
    ),
]
"""Headers of a change that is refused (412) where they do not hold."""
UNCHANGED = OpenApiResponse(description="`If-None-Match` names the current content.")


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JsonObject(serializers.JSONField):
    """Any JSON object."""


def page_shape(name: str, row: serializers.Serializer[Any]) -> serializers.Serializer[Any]:
    """Describe a page of rows."""
    return inline_serializer(
        name,
        {
            "data": type(row)(many=True),
            "next_cursor": serializers.CharField(allow_null=True),
            "next_url": serializers.URLField(allow_null=True),
        },
    )
