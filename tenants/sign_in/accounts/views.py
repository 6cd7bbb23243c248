"""The API's routes about the accounts members sign in with."""

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import Strict, read_query
from kernel.ids import parse_id
from tenants.access.callers import caller_of
from tenants.members.errors import MemberNotFound
from tenants.sign_in.accounts import errors, services


class AccountShape(serializers.Serializer[Any]):
    """An account a member signs in with."""

    account_id = serializers.UUIDField(source="id")
    issuer = serializers.CharField(help_text="The provider, as it names itself.")
    subject = serializers.CharField(help_text="The provider's name for the person.")
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()


class AccountList(serializers.Serializer[Any]):
    """All accounts of a member."""

    data = AccountShape(many=True)  # type: ignore[assignment]  # a field of this name; the stubs know a property


class UnlinkQuery(Strict):
    """Confirmation of an unlinking."""

    allow_last = serializers.BooleanField(default=False, help_text="Unlink it even if it is their only one.")


class AccountsView(APIView):
    """The accounts of a member."""

    required_scopes: ClassVar = {"GET": "tenant:read"}
    refusals: ClassVar = {"GET": (MemberNotFound,)}

    @extend_schema(
        operation_id="list_accounts",
        summary="List a member's accounts",
        description="Those they sign in with, the newest first: ten at most.",
        responses=AccountList,
    )
    def get(self, request: Request, member_id: str) -> Response:
        """Answer them."""
        found = services.list_accounts(tenant=caller_of(request).tenant, member_id=_read_id(member_id))
        return Response({"data": AccountShape(found, many=True).data})


class AccountView(APIView):
    """One account of a member."""

    required_scopes: ClassVar = {"DELETE": "tenant:write"}
    reads_query: ClassVar = {"DELETE"}
    refusals: ClassVar = {
        "DELETE": (MemberNotFound, errors.AccountNotFound, errors.AccountShared, errors.LastAccount),
    }

    @extend_schema(
        operation_id="unlink_account",
        summary="Unlink an account",
        description="They do not sign in with it any more, and sessions begun with it are over. Of members of this "
        "tenant only; the last account of a member only with `allow_last=true`.",
        parameters=[UnlinkQuery],
        responses={204: None},
    )
    def delete(self, request: Request, member_id: str, account_id: str) -> Response:
        """Unlink."""
        caller, allowed = caller_of(request), read_query(UnlinkQuery, request)
        services.unlink_account(
            tenant=caller.tenant,
            actor=caller.actor,
            member_id=_read_id(member_id),
            account_id=account_id,
            **allowed,
        )
        return Response(status=204)


def _read_id(text: str) -> UUID:
    member_id = parse_id(text)
    if member_id is None:
        raise MemberNotFound
    return member_id
