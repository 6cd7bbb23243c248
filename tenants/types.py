"""Types every app shares: who calls, what a key may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

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
)


SCOPES_BY_ROLE: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": SCOPES,
    "reviewer": ("tasks:read", "tasks:write", "runs:read"),
    "auditor": ("audit:read", "tasks:read", "runs:read", "segments:read", "tenant:read"),
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
    """

    tenant: "Tenant"
    api_key: "ApiKey | None"
    member: "Membership | None" = None
    token_scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None

    @property
    def scopes(self) -> list[str]:
        """The scopes of the caller: never more than the key's, and never more than those of the member's role."""
        own: Sequence[str] = SCOPES if self.api_key is None else self.api_key.scopes
        role = SCOPES if self.member is None else SCOPES_BY_ROLE[self.member.role]
        token = SCOPES if self.token_scopes is None else self.token_scopes
        return [scope for scope in own if scope in token and scope in role]

    @property
    def is_token(self) -> bool:
        """Whether a token stands for the key."""
        return self.token_scopes is not None

    def is_live(self) -> bool:
        """Whether the key, and the token, may be used now."""
        is_live = self.api_key is None or self.api_key.is_live()
        return is_live and (self.expires_at is None or self.expires_at > utc_now())

    @property
    def actor(self) -> str:
        """The caller's name in journal and audit: of a key that acts for a member, both."""
        key = "" if self.api_key is None else f"key:{self.api_key.public_id}"
        return key if self.member is None else acting_through(key, f"member:{self.member.id}")
