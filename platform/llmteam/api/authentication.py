"""Authentication of the API: a program by a key in one of two headers, or a person by their session."""

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from audit.reads import record_read
from kernel.log_fields import note
from llmteam.api.cors import ALLOWED
from runs.events.send_buffer import send_buffer_of
from tenants.errors import CsrfMissing, KeyMissing, KeyRefused, ScopeMissing
from tenants.members.session_store import SessionStore
from tenants.members.sessions import member_of_session
from tenants.selectors import find_caller
from tenants.types import Caller

READS_AUDIT: Final = "audit:read"

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module


class KeyAuthentication(BaseAuthentication):
    """Reads ``Authorization: Bearer <key>``, equally ``X-API-Key: <key>``."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        """Find the caller; None when no key was sent.

        Raises:
            KeyRefused: What was sent is no live key.
            TooManyAttempts: Too many made-up ones were sent.
        """
        text = _key_text(request)
        if text is None:
            return None
        caller = find_caller(key_text=text)
        note(tenant=str(caller.tenant.id))
        _count_for(caller, request)
        setattr(request._request, ALLOWED, caller.tenant.allowed_origins)  # noqa: SLF001 - middleware sees only this one
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, so that a refusal is a 401."""
        return 'Bearer realm="llmteam"'


class SessionAuthentication(BaseAuthentication):
    """Reads the session cookie of a person who has signed in and chosen a tenant. Unsafe methods need a CSRF token.

    Costs nothing where no such cookie is sent.
    """

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        """Find the caller; None when no session cookie was sent.

        Raises:
            KeyRefused: The session is over, or its person is no active member of its tenant any more.
            CsrfMissing: An unsafe method without the token.
        """
        cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not cookie:
            return None
        django_request = request._request  # noqa: SLF001 - Django's own helpers take no other
        django_request.session = SessionStore(cookie)
        member = member_of_session(django_request)
        if member is None:
            raise KeyRefused("The session is over; sign in again.")
        reason = _Csrf(_answer_nothing).process_view(django_request, _answer_nothing, (), {})
        if reason is not None:
            raise CsrfMissing
        note(tenant=str(member.tenant.id))
        caller = Caller(member.tenant, None, member)
        _count_for(caller, request)
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, as for keys."""
        return 'Bearer realm="llmteam"'


class _Csrf(CsrfViewMiddleware):
    """Says why a request is refused, instead of answering."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _answer_nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class HasScope:
    """Lets through a caller whose key has the scope the view names for the method in ``required_scopes``.

    Who is let through to the audit is told to the audit.

    An empty scope asks for a caller only. A view that names none for its method lets nobody through.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Refuse with the missing scope's name.

        Raises:
            KeyMissing: Nobody is signed in.
        """
        if not isinstance(request.auth, Caller):
            raise KeyMissing
        method = "GET" if request.method == "HEAD" else request.method
        scopes: dict[str, str] = getattr(view, "required_scopes", {})
        scope = scopes.get(method or "")
        if scope is None:
            # A method the view has not: DRF answers 405 after this check, to OPTIONS too as there is no metadata.
            return method == "OPTIONS" or not hasattr(view, (method or "").lower())
        if scope and scope not in request.auth.scopes:
            raise ScopeMissing(f"This call needs a key with the scope `{scope}`.", extra={"scope": scope})
        if scope == READS_AUDIT:
            record_read(tenant_id=request.auth.tenant.id, actor=request.auth.actor, kind=_route_of(request))
        return True

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        """Objects are found within the caller's tenant or not at all."""
        return True


def _route_of(request: Request) -> str:
    match = request.resolver_match
    return (match.url_name if match else None) or "audit"


def _count_for(caller: Caller, request: Request) -> None:
    """Hold what the caller does not read against its tenant's share."""
    send_buffer_of(getattr(request._request, "scope", {})).owner = f"tenant {caller.tenant.id}"  # noqa: SLF001 - as above


def _key_text(request: Request) -> str | None:
    header: bytes = get_authorization_header(request)
    scheme, _, key = header.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if scheme:
        raise KeyRefused("Only the scheme `Bearer` is known: send `Authorization: Bearer <key>`.")
    sent: str | None = request.headers.get("X-API-Key")
    return sent.strip() if sent is not None else None
