"""Errors of sign-in. People read ``sentence``; the provider's administrator reads ``detail``."""

from collections.abc import Mapping
from typing import ClassVar, Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from kernel.errors import LimitReached, LlmteamError, Malformed, Refused

ID_TOKEN: Final = "ID token"  # noqa: S105 - what people call it
TOKEN_FAULTS: Final[Mapping[str, str]] = {
    "alg": "Its {token} is signed with an algorithm that is not accepted. Have it sign with RS256, or another of "
    "RS, PS and "
    "ES with 256, 384 or 512 bits, or EdDSA.",
    "at_hash": "Its {token} was made with another access token (at_hash).",
    "aud": "Its {token} is for another client: compare the client id.",
    "azp": "Its {token} names another client, or none, as the one it was issued to (azp).",
    "content": "Its {token} has content that cannot be read.",
    "encrypted": "Its {token} is encrypted, which is not supported: have it signed only.",
    "exp": "Its {token} has expired, or has no time of expiry: compare the clocks.",
    "form": "It sent no signed {token}.",
    "header": "Its {token} has a header that cannot be read, or that asks for more than is understood (crit).",
    "iat": "Its {token} was issued in the future, or does not say when: compare the clocks.",
    "iss": "Its {token} names another issuer: every character counts, a slash at the end too.",
    "iss_of_answer": "Its answer names another issuer, or none though it announces one (RFC 9207).",
    "key": "The key of the {token}'s signature is too weak, or of another kind than the signature.",
    "kid": "None of the keys it publishes is the one the {token} names, or several are.",
    "nbf": "Its {token} is not valid yet: compare the clocks.",
    "nonce": "Its {token} does not repeat the nonce it was asked with, so it may be of another sign-in.",
    "signature": "The signature of the {token} does not fit the key it publishes.",
    "size": "Its {token} is too long. Have it contain less, such as only the groups that are assigned to the "
    "application.",
    "sub": "Its {token} does not say whom it is about (sub), or in over 255 characters.",
    "typ": "It sent a token of another kind as its {token} (typ), such as one for access or for signing out.",
    "userinfo_sub": "Its userinfo is about somebody else than its ID token (sub).",
}
"""Faults of a provider's token, in words, by the reason that log and audit name."""


class SignInRefused(Refused):
    """Nobody is signed in. ``advice`` tells the person what to do."""

    code = "SIGN_IN_REFUSED"
    title = gettext_noop("You are not signed in.")
    advice: ClassVar[str] = gettext_noop("Sign in again. If that does not help, ask your administrator.")

    @property
    def sentence(self) -> str:
        """The sentence that says what happened, in the reader's language."""
        return str(_(self.title))

    @property
    def what_to_do(self) -> str:
        """Advice on what to do about it, in the reader's language."""
        return str(_(self.advice))


class StateRefused(SignInRefused):
    """The answer belongs to no sign-in of this session: used already, too old, or somebody else's."""

    code = "STATE_REFUSED"
    status = Malformed.status
    title = gettext_noop("This sign-in was begun elsewhere, is over, or took too long.")
    advice = gettext_noop("Begin again from the sign-in page, in one window.")


class TooManySignIns(SignInRefused):
    """Too many sign-ins were begun from one address."""

    code = "TOO_MANY_SIGN_INS"
    status = LimitReached.status
    title = gettext_noop("Too many people begin to sign in from your address.")
    advice = gettext_noop("Try again in a minute.")


class TooManyRefusals(SignInRefused):
    """Too many sign-ins from one address, or with one account, were refused."""

    code = "TOO_MANY_ATTEMPTS"
    status = LimitReached.status
    title = gettext_noop("Too many sign-ins from your address, or with your account, were refused.")
    advice = gettext_noop("Try again in a minute.")


class ProviderRefused(SignInRefused):
    """The provider answered that it did not sign the person in."""

    code = "PROVIDER_REFUSED"
    title = gettext_noop("Your company's sign-in service did not let you in.")


class ProviderFailed(SignInRefused):
    """The provider does not answer, or not in a form that can be used; ``detail`` tells log and audit what is wrong."""

    code = "PROVIDER_FAILED"
    status = Malformed.status
    title = gettext_noop("Your company's sign-in service does not answer as it should.")
    advice = gettext_noop("Try again in a minute. If it stays like that, tell your administrator.")


class ProviderBusy(ProviderFailed):
    """As many calls to providers are under way, at this one or in all, as may hold the threads of requests."""

    code = "PROVIDER_BUSY"
    status = LimitReached.status
    title = gettext_noop("Your company's sign-in service is slow, and others wait for it already.")
    advice = gettext_noop("Sign in again in a few seconds.")


class TokenRefused(SignInRefused):
    """The provider's token is not what was asked for; ``reason`` and ``detail`` say in which way."""

    code = "TOKEN_REFUSED"
    title = gettext_noop("The answer of your company's sign-in service cannot be trusted.")

    def __init__(self, reason: str, *, compared: str = "", token: str = ID_TOKEN) -> None:
        """Keep the reason, and what was compared: of tokens only that whose signature was found good."""
        super().__init__(f"{TOKEN_FAULTS[reason].format(token=token)} {compared}".rstrip())
        self.reason = reason if token == ID_TOKEN else f"{token}_{reason}"
        self._parts = reason, compared

    def about(self, token: str) -> "TokenRefused":
        """Say the same of another kind of token."""
        reason, compared = self._parts
        return TokenRefused(reason, compared=compared, token=token)


class PersonRefused(SignInRefused):
    """The provider vouches for the person, but they may not come in. The page alone names their e-mail.

    ``account`` says with which account they came, once that is known.
    """

    def __init__(self, email: str | None = None) -> None:
        """Keep the e-mail that was refused, as far as the provider tells it."""
        super().__init__()
        self.email = email
        self.account: str | None = None


class NotInvited(PersonRefused):
    """Nobody knows the account, and nobody has invited its verified e-mail."""

    code = "NOT_INVITED"
    title = gettext_noop("You are not a member yet.")
    advice = gettext_noop("Ask an administrator to invite the e-mail address of your company account.")


class EmailUnverified(NotInvited):
    """The account is unknown, and its e-mail is not verified, so nothing can be told by it."""

    code = "EMAIL_UNVERIFIED"
    title = gettext_noop("Your e-mail address has not been verified by your company's sign-in service.")
    advice = gettext_noop("Have it verified there, then sign in again.")


class EmailMissing(NotInvited):
    """The account is unknown, and nothing is said of its e-mail."""

    code = "EMAIL_MISSING"
    title = gettext_noop("Your company's sign-in service does not send your e-mail address.")
    advice = gettext_noop("Ask for it to be entered there, or to be sent to this site, then sign in again.")


class EmailMalformed(NotInvited):
    """The account is unknown, and what is said as its e-mail is none, or has letters beyond ASCII."""

    code = "EMAIL_MALFORMED"
    title = gettext_noop("The e-mail address that your company's sign-in service sends cannot be used here.")
    advice = gettext_noop("Have it corrected there, to one such as ann@example.com, then sign in again.")


class Deactivated(PersonRefused):
    """The person was a member."""

    code = "DEACTIVATED"
    title = gettext_noop("Your membership has been deactivated.")
    advice = gettext_noop("If you should have access, ask an administrator to reactivate it.")


class SecondFactorMissing(SignInRefused):
    """The provider does not say that an operator has shown the second factor that is demanded."""

    code = "SECOND_FACTOR_MISSING"
    title = gettext_noop("Your company's sign-in service does not vouch for a second factor.")
    advice = gettext_noop("Set one up there and sign in again with it, or ask the operator of this installation.")


class NotOperator(PersonRefused):
    """The account is no operator's."""

    code = "NOT_AN_OPERATOR"
    title = gettext_noop("This account does not belong to an operator.")
    advice = gettext_noop("Ask the operator of this installation to link it.")


class NoProvider(LlmteamError):
    """There is no provider to sign in with, or the tenant has none."""

    code = "NO_PROVIDER"
    status = 404
    title = gettext_noop("There is no such way to sign in.")
