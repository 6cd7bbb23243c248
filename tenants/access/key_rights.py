"""Rights over keys: nobody makes a secret that may do more, or works longer, than they themselves. Pure."""

from collections.abc import Sequence
from datetime import datetime

from tenants.access.tokens import lacking
from tenants.errors import KeyOutlivesCaller, ScopeMissing, TokenCannotMakeKeys
from tenants.types import Caller


def expiry_for(caller: Caller, expires_at: datetime | None) -> datetime | None:
    """Tell when a key ends that a caller makes: as asked for, else with the caller's own key."""
    return expires_at or (None if caller.api_key is None else caller.api_key.expires_at)


def check_may_give(caller: Caller, *, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Let a caller have a secret made that may do ``scopes`` until ``expires_at``.

    A token has none made, whomever it acts for: the secret would outlive the token.

    Raises:
        TokenCannotMakeKeys: The caller is a token.
        ScopeMissing: A scope the caller does not have.
        KeyOutlivesCaller: The caller's key ends before.
    """
    if caller.is_token:
        raise TokenCannotMakeKeys
    missing = lacking(scopes, caller.scopes)
    if missing:
        raise ScopeMissing(f"The caller lacks the scope `{missing[0]}`.", extra={"scope": missing[0]})
    own_end = None if caller.api_key is None else caller.api_key.expires_at
    if own_end is not None and (expires_at is None or expires_at > own_end):
        ends = own_end.isoformat().replace("+00:00", "Z")
        raise KeyOutlivesCaller(f"The calling key ends at {ends}.", extra={"expires_at": ends})
