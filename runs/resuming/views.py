"""The page behind a link by which a run is resumed, and what a call of it does."""

from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.request_fields import Texts
from kernel.errors import LlmteamError
from runs.metrics import CALLS
from runs.resuming.links import read_link
from runs.resuming.services import CallReceipt, preview_call, take_call
from tenants.content_security import policy

_STATUSES: Final = {CallReceipt.RESUMED: 200, CallReceipt.KEPT: 202}


class ResumeView(APIView):
    """A link is all that is needed: whoever holds it may call it, once."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    accepts_any_type = True
    schema = None

    def get(self, request: Request, token: str) -> HttpResponse:
        """Show what a call would do; nothing is changed, however often mail scanners and browsers look."""
        status, reception, detail = 200, "", ""
        try:
            reception = preview_call(link=read_link(token))
        except LlmteamError as error:
            status, detail = error.status, error.detail
        variables = {"reception": reception, "detail": detail}
        response = render(request._request, "resuming/resume.html", variables, status=status)  # noqa: SLF001 - the page's tags ask Django's
        response["Content-Security-Policy"] = policy(style_src="'self'")
        return response

    def post(self, request: Request, token: str) -> Response:
        """Resume the run with the body."""
        body: Any = request.data
        is_form = isinstance(body, Texts)
        try:
            sent = dict(body) if is_form else body
            reception = take_call(link=read_link(token), body=sent, is_form=is_form)
        except LlmteamError as error:
            CALLS.labels(error.code).inc()
            raise
        return Response({"outcome": reception.value}, status=_STATUSES[reception])
