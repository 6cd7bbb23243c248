"""Reasons why an account is not linked or unlinked."""

from typing import Final

from django.utils.translation import gettext_noop

from kernel.errors import Conflict, NotFound
from tenants.sign_in.errors import PersonRefused, SignInRefused

LAST_ACCOUNT: Final = (
    "It is the only account they sign in with. Without it they can sign in again only with the "
    "verified e-mail of their membership, and so can anybody "
    "whose provider vouches for that e-mail; to keep them out, deactivate the member."
)


class AccountNotFound(NotFound):
    """The member has no such account."""

    code = "ACCOUNT_NOT_FOUND"
    title = "The member has no such account"


class AccountShared(Conflict):
    """The account opens more than this tenant, so the tenant's admins do not unlink it."""

    code = "ACCOUNT_SHARED"
    title = "The account opens more than this tenant"


class LastAccount(Conflict):
    """The account is its person's only one."""

    code = "LAST_ACCOUNT"
    title = "It is the only account they sign in with"


class AccountTaken(PersonRefused):
    """The account that should be linked is somebody else's."""

    code = "ACCOUNT_TAKEN"
    title = gettext_noop("This account belongs to somebody else here.")
    advice = gettext_noop(
        "Nothing was changed. Sign out at your company's sign-in service, and choose another account."
    )


class AccountOfAnotherEmail(PersonRefused):
    """The account's verified e-mail is not the member's."""

    code = "ACCOUNT_EMAIL_DIFFERS"
    title = gettext_noop("The verified e-mail address of this account is not yours here.")
    advice = gettext_noop("Nothing was changed. Choose an account with your e-mail address, or ask an administrator.")


class TooManyAccounts(SignInRefused):
    """The person has as many accounts as anybody may have."""

    code = "TOO_MANY_ACCOUNTS"
    title = gettext_noop("You have the maximum number of accounts.")
    advice = gettext_noop("Unlink one that you do not use any more.")


class LinkingRefused(SignInRefused):
    """The session may not link or unlink accounts of this provider."""

    code = "LINKING_REFUSED"
    title = gettext_noop("You cannot change this account yourself.")
    advice = gettext_noop("Ask your administrator, or the operator of this installation.")


class OnlyWayIn(SignInRefused):
    """A member would unlink the last account they have."""

    code = "LAST_ACCOUNT"
    title = gettext_noop("This is the only account you sign in with.")
    advice = gettext_noop("Link another one first, or ask an administrator to unlink it.")
