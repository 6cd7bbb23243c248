"""Egress policies: what the installation and each tenant may call."""

from collections.abc import Iterable

from django.conf import settings

from kernel.egress import Policy, build_policy
from tenants.models import Tenant


def egress_policy_of(tenant: Tenant) -> Policy:
    """Give what a tenant may call: what the installation allows, and what its operator allows this tenant."""
    return egress_policy_with(tenant.egress_allow_hosts)


def egress_policy_with(hosts: Iterable[str] = ()) -> Policy:
    """Give what the installation allows, and these hosts."""
    allowed = [*settings.EGRESS_ALLOW_HOSTS, *hosts]
    return build_policy(allow_hosts=allowed, allow_cidrs=settings.EGRESS_ALLOW_CIDRS, ca_file=settings.EGRESS_CA_FILE)
