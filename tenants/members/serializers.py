"""Serializers of members and invitations."""

from typing import Any, Final

from rest_framework import serializers

from foundation.request_fields import Id, PatternText, whole
from foundation.requests import Strict
from tenants.members.rules import GROUP, MAX_GROUPS
from tenants.models import Invitation, MemberRole, Membership


class GroupList(serializers.ListField):
    """Names of groups; the rules judge them, with errors of their own."""

    child = PatternText(pattern=whole(rf"\s*(?:{GROUP.pattern})\s*"), trim_whitespace=True, max_length=100)
    described: Final = {"maxItems": MAX_GROUPS}


class MemberFields(Strict):
    """Changes of a member; fields left out stay."""

    role = serializers.ChoiceField(choices=MemberRole.choices, required=False)
    groups = GroupList(required=False)


class AsciiEmail(serializers.EmailField):
    """An address in ASCII; the rules say what is wrong with another."""

    described: Final = {"pattern": "^[\\x21-\\x7e\\s]*$"}


class InvitationFields(Strict):
    """Fields of an invitation."""

    email = AsciiEmail(max_length=254)
    role = serializers.ChoiceField(choices=MemberRole.choices, default=MemberRole.REVIEWER)
    groups = GroupList(default=list)


class AbsenceFields(Strict):
    """Absence of a member."""

    away_from = serializers.DateTimeField(help_text="RFC 3339.")
    away_until = serializers.DateTimeField(required=False, allow_null=True, help_text="Left out: until further notice.")
    stands_in = Id(required=False, allow_null=True, help_text="The member who is asked in their place.")


class AbsenceShape(serializers.Serializer[Any]):
    """Absence of a member."""

    away_from = serializers.DateTimeField()
    away_until = serializers.DateTimeField(allow_null=True)
    stands_in = serializers.UUIDField(allow_null=True)


class MemberShape(serializers.Serializer[Any]):
    """A member."""

    member_id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=MemberRole.choices)
    groups = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    absence = AbsenceShape(allow_null=True)
    created_at = serializers.DateTimeField()
    deactivated_at = serializers.DateTimeField(allow_null=True)


class InvitationShape(serializers.Serializer[Any]):
    """An invitation."""

    invitation_id = serializers.UUIDField()
    email = serializers.CharField()
    role = serializers.ChoiceField(choices=MemberRole.choices)
    groups = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=["open", "accepted", "revoked", "expired"])
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    mailed_at = serializers.DateTimeField(allow_null=True)
    mail_error = serializers.CharField(allow_null=True, help_text="Why it could not be mailed.")


def member_body(member: Membership) -> dict[str, Any]:
    """Fill a ``MemberShape``."""
    absence = {"away_from": member.away_from, "away_until": member.away_until, "stands_in": member.stands_in_id}
    return {
        "member_id": member.id,
        "email": member.user.email,
        "name": member.user.get_full_name() or member.user.email,
        "role": member.role,
        "groups": member.groups,
        "is_active": member.deactivated_at is None and member.user.is_active,
        "absence": None if member.away_from is None else absence,
        "created_at": member.created_at,
        "deactivated_at": member.deactivated_at,
    }


def invitation_body(row: Invitation) -> dict[str, Any]:
    """Fill an ``InvitationShape``."""
    names = ("email", "role", "groups", "status", "created_at", "expires_at", "mailed_at")
    return {
        "invitation_id": row.id,
        **{name: getattr(row, name) for name in names},
        "mail_error": row.mail_error or None,
    }
