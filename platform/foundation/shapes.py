"""Shapes every app's descriptions share."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema_field, inline_serializer
from rest_framework import serializers

UNCHANGED = OpenApiResponse(description="`If-None-Match` names the present content.")


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
