"""Pending sign-ins: each bound to its session and its provider, valid for one callback within ten minutes."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from foundation.scope import unscoped
from tenants.members.session_store import SessionStore
from tenants.sign_in.errors import StateRefused

STATES: Final = "oidc_states"
"""Key under which the library keeps them: by state the nonce, the PKCE verifier and the time."""
LIVES_SECONDS: Final = 600
_ONCE: Final = ("state", "code", "iss", "error")
"""Parameters that an answer says once (RFC 6749, 3.1); of two each reader may take another."""


class SignInPurpose(StrEnum):
    """Purposes of a sign-in."""

    SIGN_IN = "sign_in"
    TRIAL = "trial"
    LINK = "link"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in under way.

    Attributes:
        nonce: What the ID token has to repeat.
        code_verifier: What redeems the code (PKCE).
        provider: The key of the provider it was begun with.
        next: Where the person wanted to go.
        purpose: What it is for.
        person: Whose account is linked; empty for other purposes.
    """

    nonce: str
    code_verifier: str
    provider: str
    next: str
    purpose: SignInPurpose
    person: str


def bind_state(
    request: HttpRequest, state: str, *, provider_key: str, next_url: str, purpose: SignInPurpose, person: str
) -> None:
    """Add to a state that the library has just made what it is for, and where the person wanted to go."""
    facts = {"provider": provider_key, "next": next_url, "purpose": purpose.value, "person": person}
    request.session[STATES][state] |= facts
    request.session.modified = True
    if SESSION_KEY not in request.session:
        request.session.set_expiry(LIVES_SECONDS)  # a stranger's session is kept no longer than what is under way


def take_state(request: HttpRequest) -> PendingSignIn:
    """Take the state a callback names out of its session. Of any number who show one at once one gets it.

    Raises:
        StateRefused: The session has none of this name, or not any more.
    """
    key = request.session.session_key
    if key is None or any(len(request.GET.getlist(name)) > 1 for name in _ONCE):
        raise StateRefused
    with unscoped("a session is read before anybody is known"):
        # Whoever waits for this lock reads the session without the state.
        Session.objects.select_for_update().filter(session_key=key).first()
        request.session = SessionStore(key)
        states = request.session.get(STATES, {})
        found = states.pop(request.GET.get("state", ""), None)
        if found is None or "purpose" not in found:
            raise StateRefused
        request.session.modified = True
        request.session.save()
    if found["added_on"] < time.time() - LIVES_SECONDS:
        raise StateRefused
    facts = {name: str(found[name]) for name in ("nonce", "code_verifier", "provider", "next", "person")}
    return PendingSignIn(**facts, purpose=SignInPurpose(found["purpose"]))
