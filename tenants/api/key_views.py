"""The API's routes about keys: made, listed, rotated, revoked."""

from typing import ClassVar, Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.idempotent_requests import IDEMPOTENCY_REFUSALS, idempotency_of, idempotency_parameter
from foundation.requests import NoFields, PageQuery, read_fields, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.ids import parse_id
from kernel.paging import CursorRefused
from tenants import errors, selectors
from tenants.access import issuing
from tenants.access.callers import caller_of
from tenants.api.key_serializers import (
    ApiKeyShape,
    GivenKeyShape,
    KeyFields,
    RevocationQuery,
    RotationFields,
    api_key_body,
    given_key_body,
)
from tenants.models import ApiKey
from tenants.types import Caller

READ, WRITE = "keys:read", "keys:write"
_ONCE: Final = idempotency_parameter("the key as it is now, `secret` null,")
_GIVING: Final = (errors.TokenCannotMakeKeys, errors.KeyOutlivesCaller, errors.KeyInvalid, *IDEMPOTENCY_REFUSALS)


class KeysView(APIView):
    """The keys of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,), "POST": (*_GIVING, errors.TooManyKeys, errors.TooManyKeysMade)}

    @extend_schema(
        operation_id="list_keys",
        summary="List keys",
        description="Newest first, including revoked and expired keys; never with secrets.",
        parameters=[PageQuery],
        responses=page_shape("ApiKeyPage", ApiKeyShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page = selectors.list_keys(tenant=caller_of(request).tenant, **read_query(PageQuery, request))
        return page_response(request, page, api_key_body)

    @extend_schema(
        operation_id="create_key",
        summary="Make a key",
        description="The secret is shown only in this answer; only a keyed hash of it is stored. The key may do no "
        "more than "
        "the caller, and works no longer than the calling key. A token cannot make keys. A tenant has at most 100 "
        "live keys.",
        parameters=[_ONCE],
        request=KeyFields,
        responses={201: GivenKeyShape},
        examples=[
            OpenApiExample(
                "For a canvas that starts runs",
                {"name": "n8n", "scopes": ["runs:read", "runs:write"], "expires_at": "2027-06-30T00:00:00Z"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Make one."""
        fields, once = read_fields(KeyFields, request.data), idempotency_of(request, keys="create")
        return _given_response(issuing.create_key_for_caller(caller=caller_of(request), once=once, **fields))


class KeyView(APIView):
    """One key."""

    required_scopes: ClassVar = {"GET": READ, "DELETE": WRITE}
    reads_query: ClassVar = {"DELETE"}
    refusals: ClassVar = {"GET": (errors.KeyNotFound,), "DELETE": (errors.KeyNotFound, errors.LastAdminKey)}

    @extend_schema(operation_id="read_key", summary="Read a key", responses=ApiKeyShape)
    def get(self, request: Request, key_id: str) -> Response:
        """Answer the key."""
        return Response(api_key_body(_find_key(request, key_id)[1]))

    @extend_schema(
        operation_id="revoke_key",
        summary="Revoke a key",
        description="For good, within 5 s in every process, together with the tokens made with it; open streams "
        "end within 30 s. "
        "Repeatable. The last key that may manage keys (`keys:write`) is kept with a 409, unless `allow_last` says "
        "otherwise: without it only a member who signs in as admin, or your operator, can make keys.",
        parameters=[RevocationQuery],
        responses={200: ApiKeyShape},
    )
    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke."""
        options = read_query(RevocationQuery, request)
        caller, key = _find_key(request, key_id)
        revoked = issuing.revoke_api_key(tenant=caller.tenant, api_key_id=key.id, actor=caller.actor, **options)
        return Response(api_key_body(revoked))


class RotateKeyView(APIView):
    """The next secret of a key."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (errors.KeyNotFound, errors.KeyEnded, errors.KeyHasTwoSecrets, *_GIVING)}

    @extend_schema(
        operation_id="rotate_key",
        summary="Rotate a key",
        description="Makes a new secret, and shows it only in this answer. The current one keeps working for "
        "`old_secret_seconds` (a day, at most 30), or until it is ended; then it is refused within 5 s, together "
        "with the tokens made with it. At most two secrets work. The caller must have all the scopes of the key, "
        "and its end.",
        parameters=[_ONCE],
        request=RotationFields,
        responses={201: GivenKeyShape},
        examples=[OpenApiExample("It has leaked", {"old_secret_seconds": 0}, request_only=True)],
    )
    def post(self, request: Request, key_id: str) -> Response:
        """Rotate."""
        caller, key = _find_key(request, key_id)
        fields, once = read_fields(RotationFields, request.data), idempotency_of(request, keys="rotate", id=key_id)
        return _given_response(issuing.rotate_key_for_caller(caller=caller, api_key_id=key.id, once=once, **fields))


class OldSecretView(APIView):
    """The secret that a rotation replaced."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (errors.KeyNotFound,)}

    @extend_schema(
        operation_id="end_old_secret",
        summary="End the previous secret",
        description="Now, within 5 s in every process. Repeatable.",
        request=NoFields,
        responses=ApiKeyShape,
    )
    def post(self, request: Request, key_id: str) -> Response:
        """End it."""
        caller, key = _find_key(request, key_id)
        read_fields(NoFields, request.data)
        return Response(
            api_key_body(issuing.end_old_secret(tenant=caller.tenant, api_key_id=key.id, actor=caller.actor))
        )


def _find_key(request: Request, key_id: str) -> tuple[Caller, ApiKey]:
    """Find the caller, and the key of their tenant that the address names.

    Raises:
        KeyNotFound: There is none, or it is of another tenant.
    """
    caller, wanted = caller_of(request), parse_id(key_id)
    if wanted is None:
        raise errors.KeyNotFound
    return caller, selectors.get_key(tenant=caller.tenant, key_id=wanted)


def _given_response(given: issuing.IssuedKey) -> Response:
    headers = {"Cache-Control": "no-store"}
    if given.text is None:
        headers["Idempotent-Replayed"] = "true"
    return Response(given_key_body(given), status=201, headers=headers)
