"""The API's routes about members and invitations."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, PageQuery, read_fields, read_query
from foundation.shapes import page_shape
from kernel.ids import parse_id
from kernel.paging import CursorRefused, page_body
from tenants.access.callers import caller_of
from tenants.errors import ScopeMissing
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
        description="Newest first, those deactivated too.",
        parameters=[PageQuery],
        responses=page_shape("MemberPage", MemberShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_members(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return Response(page_body(page, member_body, request.build_absolute_uri()))


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
        caller, wanted = caller_of(request), _read_id(member_id)
        member = selectors.get_member(tenant=caller.tenant, member_id=wanted)
        _own_or(caller, wanted, READ)
        return Response(member_body(member))

    @extend_schema(
        operation_id="change_member",
        summary="Change a member",
        description="Their role, their groups, or both. Holds everywhere within 5 s.",
        request=MemberFields,
        responses=MemberShape,
        examples=[OpenApiExample("Into two groups", {"groups": ["finance", "legal"]}, request_only=True)],
    )
    def patch(self, request: Request, member_id: str) -> Response:
        """Change."""
        caller, wanted = caller_of(request), _read_id(member_id)
        selectors.get_member(tenant=caller.tenant, member_id=wanted)
        fields = read_fields(MemberFields, request.data)
        member = services.change_member(tenant=caller.tenant, actor=caller.actor, member_id=wanted, **fields)
        return Response(member_body(member))


class DeactivateMemberView(APIView):
    """The end of somebody's rights."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (errors.MemberNotFound, errors.LastAdmin)}

    @extend_schema(
        operation_id="deactivate_member",
        summary="Deactivate a member",
        description="Sessions and tokens of theirs are refused within 5 s. What they decided stays. Repeatable.",
        request=NoFields,
        responses=MemberShape,
    )
    def post(self, request: Request, member_id: str) -> Response:
        """Deactivate."""
        caller, wanted = caller_of(request), _read_id(member_id)
        selectors.get_member(tenant=caller.tenant, member_id=wanted)
        read_fields(NoFields, request.data)
        return Response(
            member_body(services.deactivate_member(tenant=caller.tenant, actor=caller.actor, member_id=wanted))
        )


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
        caller, wanted = caller_of(request), _read_id(member_id)
        selectors.get_member(tenant=caller.tenant, member_id=wanted)
        read_fields(NoFields, request.data)
        return Response(
            member_body(services.reactivate_member(tenant=caller.tenant, actor=caller.actor, member_id=wanted))
        )


class AbsenceView(APIView):
    """Absence of a member."""

    required_scopes: ClassVar = {"PUT": OWN, "DELETE": OWN}
    refusals: ClassVar = {
        "PUT": (errors.MemberNotFound, errors.MemberInvalid, ScopeMissing),
        "DELETE": (errors.MemberNotFound, ScopeMissing),
    }

    @extend_schema(
        operation_id="set_absence",
        summary="Say that a member is away",
        description="Whoever stands in is asked in their place. Needs `tenant:write`, unless it is yourself.",
        request=AbsenceFields,
        responses=MemberShape,
    )
    def put(self, request: Request, member_id: str) -> Response:
        """Set."""
        caller, wanted = _allowed(request, member_id)
        fields = read_fields(AbsenceFields, request.data)
        member = services.set_absence(tenant=caller.tenant, actor=caller.actor, member_id=wanted, **fields)
        return Response(member_body(member))

    @extend_schema(
        operation_id="clear_absence",
        summary="Say that a member is back",
        description="Needs `tenant:write`, unless it is yourself. Repeatable.",
        responses={200: MemberShape},
    )
    def delete(self, request: Request, member_id: str) -> Response:
        """Clear."""
        caller, wanted = _allowed(request, member_id)
        member = services.clear_absence(tenant=caller.tenant, actor=caller.actor, member_id=wanted)
        return Response(member_body(member))


class InvitationsView(APIView):
    """The invitations of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {
        "GET": (CursorRefused,),
        "POST": (errors.MemberInvalid, errors.MemberExists, errors.InvitationsLimited),
    }

    @extend_schema(
        operation_id="list_invitations",
        summary="List invitations",
        description="Newest first, closed ones too.",
        parameters=[PageQuery],
        responses=page_shape("InvitationPage", InvitationShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_invitations(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return Response(page_body(page, invitation_body, request.build_absolute_uri()))

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


def _read_id(text: str) -> UUID:
    member_id = parse_id(text)
    if member_id is None:
        raise errors.MemberNotFound
    return member_id


def _allowed(request: Request, member_id: str) -> tuple[Caller, UUID]:
    """Find the member somebody may change: themselves, or anybody with the right over the tenant."""
    caller, wanted = caller_of(request), _read_id(member_id)
    selectors.get_member(tenant=caller.tenant, member_id=wanted)
    _own_or(caller, wanted, WRITE)
    return caller, wanted


def _own_or(caller: Caller, member_id: UUID, scope: str) -> None:
    is_own = caller.member is not None and caller.member.id == member_id
    if not is_own and scope not in caller.scopes:
        raise ScopeMissing(f"About others this call needs the scope `{scope}`.", extra={"scope": scope})
