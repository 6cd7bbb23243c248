"""Shapes and queries of the routes about the audit."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from audit.models import Entry, LogVerification, PersonalValue, VerificationStatus
from audit.personal import with_values
from audit.types import PERSON
from foundation.request_fields import list_accepted_values
from foundation.requests import PageQuery, Strict


class EntriesQuery(PageQuery):
    """Filters of the list of entries."""

    elsewhere: ClassVar = {"after": "`cursor`"}

    action = serializers.CharField(required=False, max_length=64, help_text="`segment.saved`; the whole word.")
    actor = serializers.CharField(required=False, max_length=200, help_text="As entries name who acts; the whole name.")
    object = serializers.CharField(
        required=False,
        max_length=265,
        help_text="What it was done to: a type, `segment`, or one of them, `segment:order`.",
    )
    to = serializers.DateTimeField(required=False, source="until", help_text="Entries before this time (RFC 3339).")

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python."""
        since = serializers.DateTimeField(
            required=False, source="since", help_text="Entries at this time or later (RFC 3339)."
        )
        list_accepted_values(since)
        return {**super().get_fields(), "from": since}


class ErasePersonFields(Strict):
    """Name of a person."""

    person = serializers.RegexField(
        f"^{PERSON}$",
        max_length=200,
        help_text="As entries name who acts: `member:<id>`, `user:<id>` or `key:<public id>`.",
    )


class ErasureShape(serializers.Serializer[Any]):
    """Outcome of an erasure."""

    erased = serializers.IntegerField(help_text="Values that were deleted now.")


class AuditEntryShape(serializers.Serializer[Any]):
    """An entry."""

    entry_id = serializers.UUIDField()
    n = serializers.IntegerField(allow_null=True, help_text="Its number in the log; null for about a second.")
    at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    before = serializers.JSONField(help_text="What there was; null where nothing was.")
    after = serializers.JSONField(help_text="What there is now, or what is told of it.")
    outcome = serializers.CharField()
    request_id = serializers.CharField(allow_null=True)
    source: Any = serializers.CharField(allow_null=True, help_text="Where the request came from; `erased` once it is.")


class LogKeyShape(serializers.Serializer[Any]):
    """A key of the log."""

    key = serializers.CharField(help_text="Verifier key of a signed note: `name+id+base64`.")
    from_size = serializers.IntegerField(help_text="It signs checkpoints of more entries than this.")
    to_size = serializers.IntegerField(allow_null=True, help_text="And of no more than this; null while it signs.")


class LogKeysShape(serializers.Serializer[Any]):
    """Keys of the log, the oldest first."""

    log = serializers.CharField(help_text="Name of the log.")
    keys = LogKeyShape(many=True)


class FirstBadShape(serializers.Serializer[Any]):
    """The first leaf that nothing vouches for."""

    n = serializers.IntegerField()
    kind = serializers.CharField()
    detail = serializers.CharField()


class VerdictShape(serializers.Serializer[Any]):
    """Verdict of a verification."""

    ok = serializers.BooleanField()
    log = serializers.CharField(allow_null=True)
    first = serializers.IntegerField(help_text="The first entry that was not pruned.")
    size = serializers.IntegerField(allow_null=True)
    root: Any = serializers.CharField(allow_null=True, help_text="In hex.")
    signed_at = serializers.CharField(allow_null=True)
    first_bad = FirstBadShape(allow_null=True)
    checked_seconds = serializers.FloatField()


class VerificationProgressShape(serializers.Serializer[Any]):
    """Progress of a verification."""

    checked = serializers.IntegerField(help_text="Entries that were looked at.")
    total = serializers.IntegerField(help_text="Entries of the log when it was asked for.")


class VerificationShape(serializers.Serializer[Any]):
    """A verification in the background."""

    verification_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=VerificationStatus.values)
    progress = VerificationProgressShape()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    verdict = VerdictShape(allow_null=True, help_text="Null until it is done.")
    error = serializers.CharField(allow_null=True)


def verification_body(verification: LogVerification) -> dict[str, Any]:
    """Write a verification."""
    return {
        "verification_id": verification.id,
        "status": verification.status,
        "progress": {"checked": verification.checked, "total": verification.total},
        "created_at": verification.created_at,
        "ended_at": verification.ended_at,
        "verdict": verification.verdict,
        "error": verification.error or None,
    }


def entry_body(entry: Entry, numbers: dict[UUID, int], kept: dict[str, PersonalValue]) -> dict[str, Any]:
    """Write an entry."""
    return {
        "entry_id": entry.id,
        "n": numbers.get(entry.id),
        "at": entry.created_at,
        "action": entry.action,
        "actor": entry.actor,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "before": with_values(entry.before, kept),
        "after": with_values(entry.after, kept),
        "outcome": entry.outcome,
        "request_id": entry.request_id or None,
        "source": with_values(entry.source, kept) or None,
    }
