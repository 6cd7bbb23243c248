"""Tables without row-level security, each with the reason why no tenant's rows are in it, or why no policy can know."""

from typing import Final

REASONS: Final = {
    "auth_group": "rights of operators in the console",
    "auth_group_permissions": "rights of operators in the console",
    "auth_permission": "rights of operators in the console",
    "django_admin_log": "acts of operators in the console",
    "django_content_type": "names of tables",
    "django_migrations": "names of migrations",
    "django_session": "sessions precede the tenant: each is found by a key that only its browser has",
    "runs_worker": "worker processes, which serve all tenants",
    "tenants_identity": "accounts of people, found by issuer and subject before the tenant is known; its callers "
    "reach them through its memberships, which stand behind the wall",
    "tenants_retentionfigure": "counts of the whole installation",
    "tenants_user": "people, who may be members of several tenants and sign in before one is chosen; its callers "
    "reach them through its memberships, which stand behind the wall",
    "tenants_user_groups": "rights of operators in the console",
    "tenants_user_user_permissions": "rights of operators in the console",
}
