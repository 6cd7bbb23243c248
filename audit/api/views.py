"""The API's routes about the audit: entries, the log's files, proofs, verification."""

from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.api.serializers import (
    AuditEntryShape,
    EntriesQuery,
    ErasePersonFields,
    ErasureShape,
    LogKeysShape,
    VerdictShape,
    VerificationShape,
    entry_body,
    verification_body,
)
from audit.erasure import erase_person
from audit.errors import LogEmpty, LogFileNotFound, NotSealed, VerificationNotFound
from audit.models import LogVerifier
from audit.reading.entries import list_entries, read_leaf_number
from audit.reading.files import CHECKPOINT, LogFiles, stored_leaves
from audit.reading.jobs import get_verification, request_verification
from audit.reading.report import MAX_VERIFIED
from audit.reading.verification import verify_stored
from audit.sealing.keys import keys_of
from foundation.requests import read_fields, read_query
from foundation.responses import page_response
from foundation.scope import tenant_scope
from foundation.shapes import page_shape
from kernel.paging import CursorRefused
from tenants.access.callers import caller_of

READ: Final = "audit:read"
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"


class EntriesView(APIView):
    """Entries of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_audit_entries",
        summary="List audit entries",
        description="Who did what to which object, newest first. `n` is the entry's number in the log, null until "
        "the entry is sealed, about a second. Filters add up.",
        parameters=[EntriesQuery],
        responses=page_shape("AuditEntryPage", AuditEntryShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        page, numbers, kept = list_entries(tenant_id=caller_of(request).tenant.id, **read_query(EntriesQuery, request))
        return page_response(request, page, partial(entry_body, numbers=numbers, kept=kept))


class ProofView(APIView):
    """The receipt of an entry."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (LogEmpty, NotSealed)}

    @extend_schema(
        operation_id="read_audit_proof",
        summary="Read an entry's receipt",
        description="A `.tlog-proof` text (c2sp.org/tlog-proof): the entry's bytes, its way to the root, the signed "
        "checkpoint. It verifies offline with the log's key alone.",
        responses={(200, TEXT): OpenApiResponse(OpenApiTypes.STR, "The proof.")},
    )
    def get(self, request: Request, n: str) -> HttpResponse:
        """Answer the proof."""
        number = read_leaf_number(n)
        if number is None:
            raise NotSealed
        tenant_id = caller_of(request).tenant.id
        with tenant_scope(tenant_id):
            return HttpResponse(LogFiles(tenant_id).proof(number), content_type=TEXT)


class LogFileView(APIView):
    """Files of the log."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (LogEmpty, LogFileNotFound)}

    @extend_schema(
        operation_id="read_audit_log_file",
        summary="Read a file of the log",
        description="`checkpoint`, `tile/<level>/<number>`, `tile/entries/<number>`, as c2sp.org/tlog-tiles names "
        "them. A tile never changes.",
        responses={
            (200, TEXT): OpenApiResponse(OpenApiTypes.STR, "The checkpoint."),
            (200, BYTES): OpenApiResponse(OpenApiTypes.BINARY, "A tile."),
        },
    )
    def get(self, request: Request, path: str) -> HttpResponse:
        """Answer the file."""
        tenant_id = caller_of(request).tenant.id
        with tenant_scope(tenant_id):
            data = LogFiles(tenant_id).require(path)
        if path == CHECKPOINT:
            return HttpResponse(data, content_type=TEXT, headers={"Cache-Control": "no-cache"})
        return HttpResponse(data, content_type=BYTES, headers={"Cache-Control": "private, max-age=31536000, immutable"})


class LogKeysView(APIView):
    """Keys of the log."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (LogEmpty,)}

    @extend_schema(
        operation_id="read_audit_keys",
        summary="Read the log's keys",
        description="The verifier keys that checkpoints were signed with, the oldest first; with `Accept: text/plain` "
        "one a line, as `verify.py --key` reads them. Get them over another way, too: whoever serves a false log would "
        "serve a false key.",
        responses={
            (200, "application/json"): LogKeysShape,
            (200, TEXT): OpenApiResponse(OpenApiTypes.STR, "One key a line."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Answer the keys."""
        tenant_id = caller_of(request).tenant.id
        with tenant_scope(tenant_id):
            log = LogFiles(tenant_id).log
            keys = keys_of(log.id)
        if "text/plain" in request.headers.get("Accept", ""):
            return HttpResponse("".join(f"{key.verifier}\n" for key in keys), content_type=TEXT)
        return Response({"log": log.origin, "keys": _keys_body(keys)})


class VerifyView(APIView):
    """Verification of the log."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (LogEmpty,)}

    @extend_schema(
        operation_id="verify_audit",
        summary="Verify the log",
        description="Computes the root of what is stored anew, holds it against the signed checkpoint, and every entry "
        "against its leaf. `first_bad` names the first leaf that nothing vouches for. A log of more than 20,000 "
        "entries is verified in the background: follow `Location`; while that is under way, asking again returns it.",
        responses={200: VerdictShape, 202: VerificationShape},
    )
    def get(self, request: Request) -> Response:
        """Answer what was found, or where it will be."""
        caller = caller_of(request)
        tenant_id = caller.tenant.id
        if stored_leaves(tenant_id) <= MAX_VERIFIED:
            return Response(verify_stored(tenant_id))
        verification = request_verification(tenant_id, actor=caller.actor)
        location = request.build_absolute_uri(f"/api/v1/audit/verify/{verification.id}")
        return Response(verification_body(verification), status=202, headers={"Location": location})


class VerificationView(APIView):
    """One verification in the background."""

    required_scopes: ClassVar = {"GET": READ}
    refusals: ClassVar = {"GET": (VerificationNotFound,)}

    @extend_schema(
        operation_id="read_audit_verification",
        summary="Read a verification",
        description="How far it is, and what it found. The last ten are kept.",
        responses=VerificationShape,
    )
    def get(self, request: Request, verification_id: str) -> Response:
        """Answer it as it is now."""
        return Response(verification_body(get_verification(caller_of(request).tenant.id, verification_id)))


class ErasePersonView(APIView):
    """Erasure of a person."""

    required_scopes: ClassVar = {"POST": "tenant:write"}

    @extend_schema(
        operation_id="erase_person",
        summary="Erase a person from the audit",
        description="Deletes what the tenant's audit keeps of one who acts under this name: names, addresses, what "
        "they wrote. Entries show it as `erased` from then on, the log and its receipts stay valid. "
        "`person.erased` in the audit tells of it. Repeating it finds nothing more.",
        request=ErasePersonFields,
        responses=ErasureShape,
    )
    def post(self, request: Request) -> Response:
        """Erase them."""
        caller = caller_of(request)
        person = read_fields(ErasePersonFields, request.data)["person"]
        return Response({"erased": erase_person(tenant_id=caller.tenant.id, person=person, actor=caller.actor)})


def _keys_body(keys: list[LogVerifier]) -> list[dict[str, Any]]:
    ends = [newer.from_size for _, newer in pairwise(keys)]
    return [
        {"key": key.verifier, "from_size": key.from_size, "to_size": end}
        for key, end in zip(keys, [*ends, None], strict=True)
    ]
