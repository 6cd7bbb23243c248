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


class TokenMakesNone(Refused):
    """A token was used to make a token, which would live on for ever that way."""

    code = "TOKEN_MAKES_NONE"
    title = "A token cannot make tokens; use the API key"
