"""The API's routes about a tenant's licence and trial."""

from typing import ClassVar, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import read_fields
from tenants.access.callers import caller_of
from tenants.licences import errors
from tenants.licences.serializers import LicenceFields, LicensingShape, TrialTerms, licensing_body
from tenants.licences.services import LicenceManager
from tenants.types import OPERATOR_SCOPES

READ: Final = "tenant:read"
WRITE: Final = "tenant:write"
OPERATE: Final = OPERATOR_SCOPES[0]


class LicenceView(APIView):
    """The licence of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "PUT": OPERATE}
    refusals: ClassVar = {"PUT": (errors.LicenceRefused,)}

    @extend_schema(
        operation_id="read_licence",
        summary="Read the licence",
        description="What the tenant's licence or trial includes, until when, and its state: `valid`; `grace` for "
        "a day "
        "after its end, in which all works; then `over`, and the installation's default tier holds.",
        responses=LicensingShape,
    )
    def get(self, request: Request) -> Response:
        """Answer how it stands."""
        return Response(licensing_body(LicenceManager().current(caller_of(request).tenant)))

    @extend_schema(
        operation_id="install_licence",
        summary="Install a licence",
        description="Needs a key with `operator:write`, which the operator of the installation gives. Repeatable. "
        "It takes effect within 5 s; one that begins later is kept until then.",
        request=LicenceFields,
        responses=LicensingShape,
    )
    def put(self, request: Request) -> Response:
        """Install it."""
        caller, wanted = caller_of(request), read_fields(LicenceFields, request.data)
        manager = LicenceManager(caller.actor)
        manager.install(caller.tenant, wanted["licence"])
        return Response(licensing_body(manager.current(caller.tenant)))


class TrialView(APIView):
    """The trial of the caller's tenant."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {
        "POST": (errors.TrialUsed, errors.TrialNotNeeded, errors.TrialNotOffered, errors.TrialInvalid)
    }

    @extend_schema(
        operation_id="start_trial",
        summary="Start the trial",
        description="Each tenant gets one, once. If the installation allows it, tenants start it themselves on the "
        "usual terms; a key with `operator:write` always may, on any terms.",
        request=TrialTerms,
        responses={201: LicensingShape},
    )
    def post(self, request: Request) -> Response:
        """Begin it."""
        caller, wanted = caller_of(request), read_fields(TrialTerms, request.data)
        if OPERATE not in caller.scopes and (not settings.SELF_SERVICE_TRIAL or request.data):
            sentence = "Only an operator says how long a trial is, and of which tier."
            raise errors.TrialNotOffered(sentence if settings.SELF_SERVICE_TRIAL else None)
        manager = LicenceManager(caller.actor)
        manager.enable_trial(caller.tenant, **wanted)
        return Response(licensing_body(manager.current(caller.tenant)), status=201)
