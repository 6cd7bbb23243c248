"""Limits of invitations, so that no tenant floods a mailbox, or the mail server, through here."""

from typing import Final

from tenants.access.rate_limits import per_seconds, rate_limits
from tenants.members.errors import TooManyInvitations
from tenants.models import Tenant

_TO_ADDRESS_AN_HOUR: Final = per_seconds("invitations_to_address_an_hour", 3, 3_600)
_TO_ADDRESS_A_DAY: Final = per_seconds("invitations_to_address_a_day", 10, 86_400)
_OF_TENANT_AN_HOUR: Final = per_seconds("invitations_of_tenant_an_hour", 200, 3_600)


def check_may_invite(tenant: Tenant, email: str) -> None:
    """Count an invitation of a tenant to an address. Each tenant is counted for itself.

    Raises:
        TooManyInvitations: It has sent 200 within an hour; or to this address 3 within an hour, or 10 within a day.
    """
    limits, of_tenant = rate_limits(), str(tenant.id)
    for limit, whose, sentence in (
        (_TO_ADDRESS_AN_HOUR, (of_tenant, email), "at most 3 an hour to one address"),
        (_TO_ADDRESS_A_DAY, (of_tenant, email), "at most 10 a day to one address"),
        (_OF_TENANT_AN_HOUR, (of_tenant,), "at most 200 an hour"),
    ):
        if not limits.hit(limit, *whose):
            seconds = limits.seconds_left(limit, *whose)
            raise TooManyInvitations(
                f"A tenant sends {sentence}; there is room again in {seconds} s.",
                extra={"limit": limit.namespace, "cap": limit.amount, "retry_after": seconds},
            )
