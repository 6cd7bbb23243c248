"""Queries of stored prompts."""

from collections.abc import Mapping

from django.db.models import Max

from foundation.pages import newest_page
from foundation.scope import reading_scope
from kernel.paging import Page
from segments.definition.prompt_names import TEMPLATE_ID
from segments.errors import PromptNotFound, PromptVersionNotFound
from segments.models import PromptTemplate, PromptVersion
from segments.versioned import page_of_versions, read_number
from tenants.models import Tenant


def get_prompt(*, tenant: Tenant, template_id: str) -> PromptTemplate:
    """Read a prompt with its current version, archived or not.

    Raises:
        PromptNotFound: The tenant has no such prompt.
    """
    if TEMPLATE_ID.fullmatch(template_id) is None:
        raise PromptNotFound
    with reading_scope(tenant.id):
        found = list(PromptTemplate.objects.filter(template_id=template_id).select_related("current_version"))
    if not found:
        raise PromptNotFound
    return found[0]


def list_prompts(*, tenant: Tenant, cursor: str | None, limit: int, archived: bool = False) -> Page[PromptTemplate]:
    """Read one page of prompts, newest first, without their texts.

    Args:
        tenant: Owner.
        cursor: Where the page starts; None for the first.
        limit: Rows per page.
        archived: Read the archived ones instead of the others.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    with reading_scope(tenant.id):
        rows = PromptTemplate.objects.filter(archived_at__isnull=not archived).select_related("current_version")
        rows = rows.defer("current_version__prompt", "current_version__system_prompt")
        return newest_page(rows, cursor=cursor, limit=limit)


def list_versions(*, tenant: Tenant, template_id: str, cursor: str | None, limit: int) -> Page[PromptVersion]:
    """Read one page of a prompt's versions, newest first, without their texts.

    Raises:
        PromptNotFound: The tenant has no such prompt.
        CursorRefused: Not a cursor of ours.
    """
    template = get_prompt(tenant=tenant, template_id=template_id)
    with reading_scope(tenant.id):
        rows = template.versions.select_related("template").defer("prompt", "system_prompt")
        return page_of_versions(rows, cursor=cursor, limit=limit)


def get_version(*, tenant: Tenant, template_id: str, number: str) -> PromptVersion:
    """Read one version of a prompt.

    Raises:
        PromptNotFound: The tenant has no such prompt.
        PromptVersionNotFound: The prompt has no such version.
    """
    template = get_prompt(tenant=tenant, template_id=template_id)
    wanted = read_number(number)
    if wanted is None:
        raise PromptVersionNotFound
    with reading_scope(tenant.id):
        version = template.versions.select_related("template").filter(number=wanted).first()
    if version is None:
        raise PromptVersionNotFound
    return version


def prompts_of(tenant: Tenant) -> Mapping[str, int]:
    """Tell which prompts a tenant's steps may name, and the number of the last version of each."""
    with reading_scope(tenant.id):
        rows = PromptTemplate.objects.filter(archived_at__isnull=True).annotate(last=Max("versions__number"))
        return {template_id: last or 0 for template_id, last in rows.values_list("template_id", "last")}
