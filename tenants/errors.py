"""What can go wrong about who is asking."""

from kernel.errors import LlmteamError


class NoTenantInScope(LlmteamError):  # noqa: N818 - named after the fact
    """A tenant-owned table was read with no tenant in scope: a programming error, never a user's."""

    code = "NO_TENANT_IN_SCOPE"
    title = "No tenant in scope"
