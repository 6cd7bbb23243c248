"""Names a tenant's segments may use: its connections, prompts and people."""

from segments.prompts.selectors import prompts_of
from segments.selectors import connections_of, refs_closed_to_tools, refs_honouring_keys
from segments.validation import KnownNames
from tenants.models import Tenant
from tenants.people import people_of


def known_names_of(tenant: Tenant) -> KnownNames:
    """Read the names of a tenant's connections, stored prompts and people."""
    return KnownNames(
        connections_of(tenant),
        prompts_of(tenant),
        people_of(tenant=tenant),
        closed_to_tools=refs_closed_to_tools(tenant),
        honouring_keys=refs_honouring_keys(tenant),
    )
