"""The API's routes about who calls."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import read_fields, read_query
from tenants import errors
from tenants.access.callers import caller_of
from tenants.access.tokens import lacking
from tenants.api.serializers import (
    MeQuery,
    MeShape,
    TenantFactsShape,
    TokenFields,
    TokenShape,
    me_body,
    tenant_body,
)
from tenants.limits.selectors import read_entitlements
from tenants.members.errors import ActingMemberRefused
from tenants.members.selectors import find_active_member
from tenants.services import create_token


class TokensView(APIView):
    """Short-lived tokens."""

    required_scopes: ClassVar = {"POST": ""}
    refusals: ClassVar = {"POST": (errors.TokenCannotMakeTokens, errors.ScopeMissing, ActingMemberRefused)}

    @extend_schema(
        operation_id="create_token",
        summary="Make a short-lived token",
        description="For a browser, which must not have the key: at most 15 minutes, with some of the key's scopes. It "
        "is sent like a key, ends with its key, and cannot make tokens. With `member` it acts for a member of the "
        "tenant: for canvases whose own sign-in knows the reviewer.",
        request=TokenFields,
        responses={201: TokenShape},
        examples=[
            OpenApiExample("To start and follow runs", {"scopes": ["runs:read", "runs:write"]}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        """Make one."""
        wanted = read_fields(TokenFields, request.data)
        caller, ref = caller_of(request), wanted.get("member")
        member = None if ref is None else find_active_member(tenant=caller.tenant, ref=ref)
        if ref is not None and member is None:
            raise ActingMemberRefused
        made = create_token(caller=caller, scopes=wanted["scopes"], seconds=wanted["expires_in"], member=member)
        body = {"token": made.text, "expires_at": made.facts.expires_at, "scopes": made.facts.scopes}
        return Response(body, status=201)


class MeView(APIView):
    """The caller."""

    required_scopes: ClassVar = {"GET": ""}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (errors.ScopeMissing,)}

    @extend_schema(
        operation_id="read_me",
        summary="Who am I?",
        description="The tenant, the key or the member, and the scopes of the caller: the test of a credential.",
        parameters=[MeQuery],
        responses=MeShape,
    )
    def get(self, request: Request) -> Response:
        """Answer what the key is."""
        caller, wanted = caller_of(request), read_query(MeQuery, request)
        missing = lacking(wanted.get("scopes", ()), caller.scopes)
        if missing:
            named = ", ".join(f"`{scope}`" for scope in missing)
            raise errors.ScopeMissing(f"The caller lacks {named}.", extra={"scope": missing[0]})
        return Response(me_body(caller))


class CallersTenantView(APIView):
    """The caller's tenant."""

    required_scopes: ClassVar = {"GET": "tenant:read"}

    @extend_schema(
        operation_id="read_tenant",
        summary="Read the tenant",
        description="Its tier, and the features it may use: step types of ours by name, all those of others together "
        "as `third_party_step_types`, and `own_identity_provider`. How much of each limit is used: "
        "`GET /tenant/limits`.",
        responses=TenantFactsShape,
    )
    def get(self, request: Request) -> Response:
        """Answer the tenant and what it may use."""
        tenant = caller_of(request).tenant
        return Response(tenant_body(tenant, read_entitlements(tenant.id)))
