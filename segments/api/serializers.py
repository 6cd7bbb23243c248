"""Serializers of segments: the shapes for the API's description, and the bodies that fill them."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request

from foundation.request_fields import ChoiceList
from foundation.requests import NotAvailable, PageQuery, Strict
from foundation.shapes import JsonObject
from segments.definition import Finding
from segments.examples import SAVED_TWO_STEPS
from segments.models import Revision, Segment
from segments.validation import Validation


class FindingShape(serializers.Serializer[Any]):
    """One thing to know about a definition."""

    severity = serializers.ChoiceField(choices=["error", "warning", "info"])
    code = serializers.CharField()
    message = serializers.CharField()
    pointer = serializers.CharField(help_text="JSON pointer into the definition as it was sent.")
    step_id = serializers.CharField(allow_null=True)
    edge = serializers.IntegerField(allow_null=True)
    hint = serializers.CharField(allow_null=True)


class ValidationShape(serializers.Serializer[Any]):
    """All findings at once; ``normalized`` is the canonical spelling, when the definition could be read."""

    valid = serializers.BooleanField()
    findings = FindingShape(many=True)
    normalized = JsonObject(allow_null=True)


class SegmentSummaryShape(serializers.Serializer[Any]):
    """A segment without its content."""

    segment_id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)
    revision = serializers.IntegerField(allow_null=True)
    content_hash = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class SegmentShape(SegmentSummaryShape):
    """A segment with its current content."""

    definition = JsonObject(allow_null=True)


@extend_schema_serializer(examples=[OpenApiExample("Just saved", SAVED_TWO_STEPS, response_only=True)])
class SavedSegmentShape(SegmentShape):
    """A segment just saved, with the findings that do not block."""

    findings = FindingShape(many=True)


class RevisionSummaryShape(serializers.Serializer[Any]):
    """A revision without its content."""

    segment_id = serializers.CharField()
    revision = serializers.IntegerField()
    content_hash = serializers.CharField()
    current = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class RevisionShape(RevisionSummaryShape):
    """One immutable content of a segment."""

    definition = JsonObject()


class PortShape(serializers.Serializer[Any]):
    """One port on a card."""

    name = serializers.CharField()
    type = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    required = serializers.BooleanField()  # type: ignore[assignment]  # fields are moved out of the class


class CardShape(serializers.Serializer[Any]):
    """One step type: what a canvas draws."""

    type_id = serializers.CharField()
    version = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    icon = serializers.CharField()
    color = serializers.CharField()
    config_schema = JsonObject()
    input_ports = PortShape(many=True)
    output_ports = PortShape(many=True)
    supports_retry = serializers.BooleanField()
    supports_timeout = serializers.BooleanField()
    supports_parallel = serializers.BooleanField()
    is_async = serializers.BooleanField()
    docs_url = serializers.CharField(allow_blank=True)
    examples = serializers.ListField(child=JsonObject())


class OfferedCardShape(CardShape):
    """One step type, and whether the tenant may start steps of it."""

    included = serializers.BooleanField(required=False, help_text="Whether it is; with `?with=limits` only.")
    reason = serializers.CharField(required=False, allow_null=True, help_text="Why not; with `?with=limits` only.")


class CatalogShape(serializers.Serializer[Any]):
    """All step types."""

    version = serializers.CharField()
    categories = serializers.ListField(child=serializers.CharField())
    types = serializers.DictField(child=OfferedCardShape())


class WithQuery(Strict):
    """Query of what an answer is told with."""

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of the language."""
        words = ChoiceList(
            words=("limits",), noun="part", required=False, max_length=20, help_text="`limits`: by the tenant's limits."
        )
        return {**super().get_fields(), "with": words}


class SegmentListQuery(PageQuery):
    """Filters of the segment list."""

    archived = serializers.BooleanField(default=False, help_text="List the archived segments instead.")
    q = serializers.CharField(
        required=False,
        max_length=100,
        help_text="Only segments that have this text in their id or name, ignoring case.",
    )


def refuse_idempotency_key(request: Request) -> None:
    """Refuse a key where repeating is harmless anyway and the key would mean nothing.

    Raises:
        NotAvailable: One was sent.
    """
    if "Idempotency-Key" in request.headers:
        raise NotAvailable("`Idempotency-Key` is not available here: the same content saved twice is saved once.")


def validation_body(validation: Validation) -> dict[str, Any]:
    """Fill a ``ValidationShape``."""
    return {
        "valid": validation.valid,
        "findings": [finding.to_dict() for finding in validation.findings],
        "normalized": validation.segment.to_dict() if validation.segment else None,
    }


def segment_summary(segment: Segment) -> dict[str, Any]:
    """Fill a ``SegmentSummaryShape``."""
    revision = segment.current_revision
    return {
        "segment_id": segment.segment_id,
        "name": segment.name,
        "description": segment.description,
        "revision": revision.number if revision else None,
        "content_hash": revision.content_hash if revision else None,
        "created_at": segment.created_at,
        "updated_at": segment.updated_at,
        "archived_at": segment.archived_at,
    }


def segment_body(segment: Segment) -> dict[str, Any]:
    """Fill a ``SegmentShape``."""
    revision = segment.current_revision
    return {**segment_summary(segment), "definition": revision.definition if revision else None}


def saved_body(segment: Segment, findings: tuple[Finding, ...]) -> dict[str, Any]:
    """Fill a ``SavedSegmentShape``."""
    return {**segment_body(segment), "findings": [finding.to_dict() for finding in findings]}


def revision_summary(revision: Revision) -> dict[str, Any]:
    """Fill a ``RevisionSummaryShape``; the revision is one of a segment."""
    segment = revision.segment
    if segment is None:
        raise TypeError("an inline revision is not shown on its own")
    return {
        "segment_id": segment.segment_id,
        "revision": revision.number,
        "content_hash": revision.content_hash,
        "current": segment.current_revision_id == revision.id,
        "created_at": revision.created_at,
    }


def revision_body(revision: Revision) -> dict[str, Any]:
    """Fill a ``RevisionShape``."""
    return {**revision_summary(revision), "definition": revision.definition}
