"""Errors about callers, tenants and connections."""

from kernel.errors import Conflict, Invalid, LimitReached, NotAuthenticated, NotFound, Refused


class KeyMissing(NotAuthenticated):
    """The request carries no key."""

    code = "KEY_MISSING"
    title = "An API key is needed: send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`"


class KeyRefused(NotAuthenticated):
    """The key is not one of ours, or revoked, or expired, or its tenant is inactive: all told alike."""

    code = "KEY_REFUSED"
    title = "The API key is not valid"


class KeyWrong(KeyRefused):
    """The key or token was made up, or mistyped; told as any that is refused.

    Attributes:
        account: Which key it would be, as far as it names one.
    """

    def __init__(self, account: str | None = None) -> None:
        """Keep whose it would be, to be counted."""
        super().__init__()
        self.account = account


class TooManyAttempts(LimitReached):
    """Too many wrong keys, tokens or sign-ins; ``extra`` says of whom, and when to try again."""

    code = "TOO_MANY_ATTEMPTS"
    title = "Too many wrong attempts were made"


class ScopeMissing(Refused):
    """The key is good but was not given the scope this call needs."""

    code = "SCOPE_MISSING"
    title = "The API key lacks a scope"


class CsrfMissing(Refused):
    """A person who has signed in sent an unsafe request without the token that shows it came from our page."""

    code = "CSRF_MISSING"
    title = "Send the header X-CSRFToken with the value of the cookie csrftoken"


class UnknownScope(Invalid):
    """A key was asked for with a scope that does not exist."""

    code = "UNKNOWN_SCOPE"
    title = "There is no such scope"


class KeyNotFound(NotFound):
    """The tenant has no such key."""

    code = "KEY_NOT_FOUND"
    title = "There is no such API key"


class KeyInvalid(Invalid):
    """A key was asked for that could never work, or be told from another; ``errors`` say where."""

    code = "KEY_INVALID"
    title = "A key like this cannot be made"


class KeyEnded(Conflict):
    """The key is revoked or expired; ``extra.state`` says which."""

    code = "KEY_ENDED"
    title = "The API key has ended"


class KeyHasTwoSecrets(Conflict):
    """The key was rotated, and the secret before still works; ``extra`` says until when."""

    code = "KEY_HAS_TWO_SECRETS"
    title = "Two secrets of the key work already"


class LastAdminKey(Conflict):
    """Without this key no key of the tenant could manage its keys."""

    code = "LAST_ADMIN_KEY"
    title = "This is the tenant's last key that may manage keys"


class TooManyKeys(Conflict):
    """The tenant has as many live keys as it may have; ``extra`` says how many."""

    code = "TOO_MANY_KEYS"
    title = "The tenant has the maximum number of live API keys"


class TooManyKeysMade(LimitReached):
    """The tenant has made many keys within a day; ``extra`` says when there is room again."""

    code = "KEYS_LIMITED"
    title = "Too many API keys were made"


class TokenCannotMakeKeys(Refused):
    """A token was used to make or rotate a key, which would outlive it."""

    code = "TOKEN_MAKES_NO_KEYS"
    title = "A token cannot make or rotate keys; use an API key, or sign in"


class KeyOutlivesCaller(Refused):
    """A key that has an end was to make a secret that works longer than it does itself."""

    code = "KEY_OUTLIVES_CALLER"
    title = "A key cannot make a secret that works longer than the key itself"


class TenantExists(Conflict):
    """The short name is taken."""

    code = "TENANT_EXISTS"
    title = "A tenant of this name exists already"


class ConnectionNotFound(NotFound):
    """The tenant has no such connection."""

    code = "CONNECTION_NOT_FOUND"
    title = "There is no such connection"


class ConnectionRefInvalid(Invalid):
    """The text cannot be a connection's name."""

    code = "CONNECTION_REF_INVALID"
    title = "A connection's ref begins with a letter and has at most 64 lower case letters, digits, _ and -"


class ConnectionInvalid(Invalid):
    """A connection that could not work, or would show its secret to a stranger."""

    code = "CONNECTION_INVALID"
    title = "The connection cannot be saved"


class TokenCannotMakeTokens(Refused):
    """A token was used to make a token, which would live on for ever that way."""

    code = "TOKEN_MAKES_NONE"
    title = "A token cannot make tokens; use the API key"


class TenantSuspended(Conflict):
    """The tenant is suspended, or about to be deleted: it may read, export, cancel and decide, and start nothing."""

    code = "TENANT_SUSPENDED"
    title = "The tenant is suspended: no run is started until the operator resumes it"


class TenantNotFound(NotFound):
    """The installation has no tenant of this short name."""

    code = "TENANT_NOT_FOUND"
    title = "There is no such tenant"


class NotThisTenant(Invalid):
    """A deletion was confirmed with another short name than the tenant's."""

    code = "NOT_THIS_TENANT"
    title = "This is not the short name of the tenant that the key belongs to"


class TenantStateRefused(Conflict):
    """The tenant's present state does not allow the change; ``detail`` says which state that is."""

    code = "TENANT_STATE_REFUSED"
    title = "The tenant's state does not allow that"


class ExportNotFound(NotFound):
    """The tenant has no such export, or its time is over."""

    code = "EXPORT_NOT_FOUND"
    title = "There is no such export"


class TooManyExports(Conflict):
    """As many exports as may be are kept; ``extra`` names them."""

    code = "EXPORTS_KEPT"
    title = "The maximum number of exports is kept: delete one, or wait until one expires"
