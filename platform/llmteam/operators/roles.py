"""Roles of those who use the console: what each may read and do."""

from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

OPERATOR: Final = "operator"
AUDITOR: Final = "auditor"
SUPPORT: Final = "support"
ROLES: Final = (OPERATOR, AUDITOR, SUPPORT)
OF_SUPPORT: Final = frozenset(
    {
        "view_run", "view_worker", "view_tenant", "view_usageday", "view_installedlicence",
        "view_limitoverride", "view_retentionfigure",
    }
)  # fmt: skip
"""Rights of support: pages on which nothing stands that a tenant's programs or people wrote."""


def ensure_roles_of_console() -> None:
    """Make the roles' groups, and give each exactly its rights; may be called any number of times.

    An operator may do all, an auditor read all, support read what has no data of tenants.
    """
    rights = {
        OPERATOR: Permission.objects.all(),
        AUDITOR: Permission.objects.filter(Q(codename__startswith="view_") | Q(codename="see_data")),
        SUPPORT: Permission.objects.filter(codename__in=OF_SUPPORT),
    }
    for name, permissions in rights.items():
        Group.objects.get_or_create(name=name)[0].permissions.set(permissions)
