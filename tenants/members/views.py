"""The API's routes about members and invitations."""

from collections.abc import Callable
from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, PageQuery, Strict, read_fields, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.ids import parse_id
from kernel.paging import CursorRefused
from tenants.access.callers import caller_of
from tenants.errors import ScopeMissing
from tenants.limits.errors import TooManyKept
from tenants.members import errors, selectors, services
from tenants.members.serializers import (
    AbsenceFields,
    InvitationFields,
    InvitationShape,
    MemberFields,
    MemberShape,
    invitation_body,
    member_body,
)
from tenants.models import Membership
from tenants.types import Caller

READ, WRITE = "tenant:read", "tenant:write"
OWN = ""
"""Asks for a caller only: whether they ask about themselves is looked at behind it."""


class MembersView(APIView):
    """The members of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_members",
        summary="List members",
        description="Newest first, including deactivated members.",
        parameters=[PageQuery],
        responses=page_shape("MemberPage", MemberShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_members(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return page_response(request, page, member_body)


class MemberView(APIView):
    """One member."""

    required_scopes: ClassVar = {"GET": OWN, "PATCH": WRITE}
    refusals: ClassVar = {
        "GET": (errors.MemberNotFound, ScopeMissing),
        "PATCH": (errors.MemberNotFound, errors.MemberInvalid, errors.LastAdmin),
    }

    @extend_schema(
        operation_id="read_member",
        summary="Read a member",
        description="Needs `tenant:read`, unless it is yourself.",
        responses=MemberShape,
    )
    def get(self, request: Request, member_id: str) -> Response:
        """Answer the member."""
        caller, member = _find_member(request, member_id)
        _own_or(caller, member.id, READ)
        return Response(member_body(member))

    @extend_schema(
        operation_id="change_member",
        summary="Change a member",
        description="Their role, their groups, or both. Takes effect everywhere within 5 s.",
        request=MemberFields,
        responses=MemberShape,
        examples=[OpenApiExample("Into two groups", {"groups": ["finance", "legal"]}, request_only=True)],
    )
    def patch(self, request: Request, member_id: str) -> Response:
        """Change."""
        return _change(request, member_id, services.change_member, MemberFields)


class DeactivateMemberView(APIView):
    """The end of somebody's rights."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (errors.MemberNotFound, errors.LastAdmin)}

    @extend_schema(
        operation_id="deactivate_member",
        summary="Deactivate a member",
        description="Their sessions and tokens are refused within 5 s. Their decisions stay. Repeatable.",
        request=NoFields,
        responses=MemberShape,
    )
    def post(self, request: Request, member_id: str) -> Response:
        """Deactivate."""
        return _change(request, member_id, services.deactivate_member, NoFields)


class ReactivateMemberView(APIView):
    """Somebody's rights are given back."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (errors.MemberNotFound,)}

    @extend_schema(
        operation_id="reactivate_member",
        summary="Reactivate a member",
        description="Gives them back the role and groups they had. Repeatable.",
        request=NoFields,
        responses=MemberShape,
    )
    def post(self, request: Request, member_id: str) -> Response:
        """Reactivate."""
        return _change(request, member_id, services.reactivate_member, NoFields)


class AbsenceView(APIView):
    """Absence of a member."""

    required_scopes: ClassVar = {"PUT": OWN, "DELETE": OWN}
    refusals: ClassVar = {
        "PUT": (errors.MemberNotFound, errors.MemberInvalid, ScopeMissing),
        "DELETE": (errors.MemberNotFound, ScopeMissing),
    }

    @extend_schema(
        operation_id="set_absence",
        summary="Set a member's absence",
        description="Their stand-in is asked in their place. Needs `tenant:write`, unless it is yourself.",
        request=AbsenceFields,
        responses=MemberShape,
    )
    def put(self, request: Request, member_id: str) -> Response:
        """Set."""
        return _change(request, member_id, services.set_absence, AbsenceFields)

    @extend_schema(
        operation_id="clear_absence",
        summary="End a member's absence",
        description="Needs `tenant:write`, unless it is yourself. Repeatable.",
        responses={200: MemberShape},
    )
    def delete(self, request: Request, member_id: str) -> Response:
        """Clear."""
        caller, member = _allowed(request, member_id)
        member = services.clear_absence(tenant=caller.tenant, actor=caller.actor, member_id=member.id)
        return Response(member_body(member))


class InvitationsView(APIView):
    """The invitations of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {
        "GET": (CursorRefused,),
        "POST": (errors.MemberInvalid, errors.MemberExists, errors.TooManyInvitations, TooManyKept),
    }

    @extend_schema(
        operation_id="list_invitations",
        summary="List invitations",
        description="Newest first, including closed invitations.",
        parameters=[PageQuery],
        responses=page_shape("InvitationPage", InvitationShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_invitations(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return page_response(request, page, invitation_body)

    @extend_schema(
        operation_id="invite_member",
        summary="Invite somebody",
        description="By mail, for 14 days. They join by signing in with this e-mail, verified by their company's "
        "account. Inviting them again renews the invitation.",
        request=InvitationFields,
        responses={201: InvitationShape},
        examples=[
            OpenApiExample("A reviewer", {"email": "ann@acme.example", "groups": ["finance"]}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        """Invite."""
        caller = caller_of(request)
        fields = read_fields(InvitationFields, request.data)
        row = services.invite_member(tenant=caller.tenant, actor=caller.actor, **fields)
        return Response(invitation_body(row), status=201)


class InvitationView(APIView):
    """One invitation."""

    required_scopes: ClassVar = {"DELETE": WRITE}
    refusals: ClassVar = {"DELETE": (errors.InvitationNotFound, errors.InvitationClosed)}

    @extend_schema(operation_id="revoke_invitation", summary="Revoke an invitation", responses={204: None})
    def delete(self, request: Request, invitation_id: str) -> Response:
        """Revoke."""
        caller, wanted = caller_of(request), parse_id(invitation_id)
        if wanted is None:
            raise errors.InvitationNotFound
        services.revoke_invitation(tenant=caller.tenant, actor=caller.actor, invitation_id=wanted)
        return Response(status=204)


def _find_member(request: Request, member_id: str) -> tuple[Caller, Membership]:
    """Find the caller, and the member of their tenant that the address names.

    Raises:
        MemberNotFound: There is none, or it is of another tenant.
    """
    caller, wanted = caller_of(request), parse_id(member_id)
    if wanted is None:
        raise errors.MemberNotFound
    return caller, selectors.get_member(tenant=caller.tenant, member_id=wanted)


def _allowed(request: Request, member_id: str) -> tuple[Caller, Membership]:
    """Find the member the caller may change: themselves, or anybody with the right over the tenant."""
    caller, member = _find_member(request, member_id)
    _own_or(caller, member.id, WRITE)
    return caller, member


def _change(request: Request, member_id: str, change: Callable[..., Membership], fields: type[Strict]) -> Response:
    """Change a member as the caller, and answer the member as they are then.

    Args:
        request: Its body is read last: an unknown member is a 404 whatever the body says.
        member_id: The member, as the address has it.
        change: The service.
        fields: The body, whose values the service takes.
    """
    caller, member = _allowed(request, member_id)
    values = read_fields(fields, request.data)
    return Response(member_body(change(tenant=caller.tenant, actor=caller.actor, member_id=member.id, **values)))


def _own_or(caller: Caller, member_id: UUID, scope: str) -> None:
    is_own = caller.member is not None and caller.member.id == member_id
    if not is_own and scope not in caller.scopes:
        raise ScopeMissing(f"For other members this call needs the scope `{scope}`.", extra={"scope": scope})
