"""Rules about whose session changes which accounts. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountReach:
    """Rights of a session over accounts.

    Attributes:
        issuer: Of the provider the session was begun with; None where that is gone.
        is_of_installation: Whether that provider opens all tenants of its people.
        is_whole_person: Whether the tenant of the session is all that an account of this person opens: no other
            tenant, no console.
        is_operator: Whether the person may use the console.
    """

    issuer: str | None
    is_of_installation: bool
    is_whole_person: bool
    is_operator: bool

    def covers(self, issuer: str) -> bool:
        """Whether the session may link or unlink an account of an issuer: none that opens more than the session does.

        Else a tenant's own provider, which vouches for whom it likes, would open the other tenants of its people. An
        operator's accounts open the console, so no session of a member changes them.
        """
        if self.issuer is None or self.is_operator:
            return False
        return self.is_of_installation or self.is_whole_person or issuer == self.issuer
