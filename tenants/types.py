"""Types every app shares: who calls, what a key may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from kernel.actors import acting_through
from kernel.clock import utc_now

if TYPE_CHECKING:
    from tenants.models import ApiKey, Membership, Tenant

SCOPES: Final = (
    "segments:read",
    "segments:write",
    "runs:read",
    "runs:write",
    "tasks:read",
    "tasks:write",
    "audit:read",
    "tenant:read",
    "tenant:write",
    "webhooks:write",
    "keys:read",
    "keys:write",
)
KeySecret: TypeAlias = tuple[UUID, int | None]
"""A key's id, and which of its secrets was shown; None for whichever there is."""
OPERATOR_SCOPES: Final = ("operator:write",)
"""Rights of the installation's operators over a tenant, such as to set its limits. Granted in the console only."""
KNOWN_SCOPES: Final = (*SCOPES, *OPERATOR_SCOPES)


SCOPES_BY_ROLE: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": SCOPES,
    "reviewer": ("tasks:read", "tasks:write", "runs:read"),
    "auditor": ("audit:read", "tasks:read", "runs:read", "segments:read", "tenant:read", "keys:read"),
}
"""Scopes that members may ask of the API, by their roles."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Caller of a request: a program with a key of one tenant or a token made of that key, or a person.

    Attributes:
        tenant: Whose.
        api_key: The key, also where a token stands for it; None for a person who has signed in.
        member: Who acts, where a person does: signed in, or by a token that was made for them.
        token_scopes: What a token may do; None for the key itself.
        expires_at: When a token's time is over.
        secret_number: Which of the key's secrets was shown, or made the token; None where there was none.
    """

    tenant: "Tenant"
    api_key: "ApiKey | None"
    member: "Membership | None" = None
    token_scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    secret_number: int | None = None

    @property
    def scopes(self) -> list[str]:
        """The scopes of the caller: never more than the key's, and never more than those of the member's role."""
        own: Sequence[str] = SCOPES if self.api_key is None else self.api_key.scopes
        role = KNOWN_SCOPES if self.member is None else SCOPES_BY_ROLE[self.member.role]
        token = KNOWN_SCOPES if self.token_scopes is None else self.token_scopes
        return [scope for scope in own if scope in token and scope in role]

    @property
    def is_token(self) -> bool:
        """Whether a token stands for the key."""
        return self.token_scopes is not None

    @property
    def key_secret(self) -> KeySecret | None:
        """The key and its secret that the caller's right rests on; None for a person who has signed in."""
        return None if self.api_key is None else (self.api_key.id, self.secret_number)

    def is_live(self) -> bool:
        """Whether the key, the secret that was shown, and the token may be used now."""
        key, number = self.api_key, self.secret_number
        is_live = key is None or (key.is_live() and (number is None or key.takes_secret(number)))
        return is_live and (self.expires_at is None or self.expires_at > utc_now())

    @property
    def actor(self) -> str:
        """The caller's name in journal and audit: of a key that acts for a member, both."""
        key = "" if self.api_key is None else f"key:{self.api_key.public_id}"
        return key if self.member is None else acting_through(key, f"member:{self.member.id}")
