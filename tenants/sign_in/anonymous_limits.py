"""Limits on people who have not signed in: audit entries and pending sign-ins they may cause."""

from typing import Final

from django.http import HttpRequest
from prometheus_client import Counter

from tenants.access.attempts import SIGN_INS
from tenants.access.rate_limits import per_seconds, rate_limits
from tenants.addresses import share_of
from tenants.errors import TooManyAttempts
from tenants.sign_in.errors import (
    PersonRefused,
    ProviderFailed,
    SignInRefused,
    TokenRefused,
    TooManyRefusals,
    TooManySignIns,
)
from tenants.sign_in.providers import SignInProvider
from tenants.sign_in.services import refuse

REFUSALS: Final = Counter("llmteam_sign_in_refusals", "People who were not signed in.", ["code", "written"])
_REFUSALS_WRITTEN: Final = per_seconds("sign_in_refusal_written", 1, 60)
_SIGN_INS_BEGUN: Final = per_seconds("sign_in_begun", 30, 60)


def audit_refusal(request: HttpRequest, provider: SignInProvider | None, error: SignInRefused) -> None:
    """Tell the audit of a refusal, once a minute of each kind from an address: strangers cannot fill it."""
    if _is_worth_an_entry(request, error):
        refuse(provider=provider, error=error)


def check_may_come_back(request: HttpRequest) -> None:
    """Look at no answer from an address of which too many were refused.

    Raises:
        TooManyRefusals: So it is.
    """
    try:
        SIGN_INS.check(_share(request))
    except TooManyAttempts as error:
        raise TooManyRefusals(extra=error.extra) from error


def count_refused(request: HttpRequest, error: SignInRefused) -> None:
    """Count a refusal for its address, and for its account where the provider vouched for one.

    What the provider does wrong is not the comer's doing.

    Raises:
        TooManyRefusals: It is one too many, and takes the place of the refusal.
    """
    if isinstance(error, ProviderFailed | TooManySignIns | TooManyRefusals):
        return
    try:
        SIGN_INS.count(_share(request), error.account if isinstance(error, PersonRefused) else None)
    except TooManyAttempts as limited:
        raise TooManyRefusals(extra=limited.extra) from limited


def _is_worth_an_entry(request: HttpRequest, error: SignInRefused) -> bool:
    """Count a refusal; say whether it is the first of its kind from this address in a minute."""
    kind = f"{error.code}/{error.reason if isinstance(error, TokenRefused) else ''}"
    is_first = rate_limits().hit(_REFUSALS_WRITTEN, kind, _share(request))
    REFUSALS.labels(error.code, "yes" if is_first else "no").inc()
    return is_first


def check_may_begin(request: HttpRequest) -> None:
    """Count a sign-in that begins, which keeps a session for ten minutes.

    Raises:
        TooManySignIns: 30 were begun from this address within a minute.
    """
    if not rate_limits().hit(_SIGN_INS_BEGUN, _share(request)):
        REFUSALS.labels(TooManySignIns.code, "no").inc()
        raise TooManySignIns(extra={"retry_after": rate_limits().seconds_left(_SIGN_INS_BEGUN, _share(request))})


def _share(request: HttpRequest) -> str:
    return share_of(request.META.get("REMOTE_ADDR"))
