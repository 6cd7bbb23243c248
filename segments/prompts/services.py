"""What changes about stored prompts."""

from dataclasses import dataclass

from django.db.models import Max

from audit.services import record
from foundation.scope import tenant_scope
from kernel.canonical import content_hash
from kernel.clock import utc_now
from kernel.types import Json
from segments.definition.prompt_names import TEMPLATE_ID
from segments.errors import PromptIdInvalid, PromptInvalid, PromptNotFound
from segments.models import PromptTemplate, PromptVersion
from segments.prompts.rules import PromptTexts, problems
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A prompt after saving. ``created`` says whether its content is a new version."""

    template: PromptTemplate
    version: PromptVersion
    created: bool


def save_prompt(*, tenant: Tenant, actor: str, template_id: str, texts: PromptTexts) -> SavedPrompt:
    """Make texts the prompt's current version; the prompt is created, or taken out of the archive.

    Equal texts are the same version: saving them again changes nothing, saving earlier ones moves the current pointer
    back. The prompt's row is locked until the transaction ends, so versions are numbered without gaps.

    Args:
        tenant: Owner.
        actor: For the audit.
        template_id: Which prompt.
        texts: What it says.

    Raises:
        PromptIdInvalid: The name cannot be one.
        PromptInvalid: All that is wrong with the texts.
    """
    if TEMPLATE_ID.fullmatch(template_id) is None:
        raise PromptIdInvalid
    found = list(problems(texts))
    if found:
        raise PromptInvalid(errors=found)
    with tenant_scope(tenant.id):
        template, _ = PromptTemplate.objects.get_or_create(tenant=tenant, template_id=template_id)
        rows = PromptTemplate.objects.select_for_update(of=("self",)).select_related("current_version")
        template = rows.get(id=template.id)
        version, created = _version(template, texts)
        _point(template, version, actor=actor)
    return SavedPrompt(template, version, created)


def archive_prompt(*, tenant: Tenant, actor: str, template_id: str) -> None:
    """Take a prompt out of lists; steps that use it fail. Its versions stay; saving it brings it back.

    Repeating it changes nothing.

    Raises:
        PromptNotFound: The tenant has no such prompt.
    """
    if TEMPLATE_ID.fullmatch(template_id) is None:
        raise PromptNotFound
    with tenant_scope(tenant.id):
        template = PromptTemplate.objects.select_for_update().filter(template_id=template_id).first()
        if template is None:
            raise PromptNotFound
        if template.archived_at is None:
            template.archived_at = template.updated_at = utc_now()
            template.save(update_fields=["archived_at", "updated_at"])
            record("prompt.archived", template, actor=actor)


def _version(template: PromptTemplate, texts: PromptTexts) -> tuple[PromptVersion, bool]:
    digest = content_hash({"prompt": texts.prompt, "system_prompt": texts.system_prompt})
    known = template.versions.filter(content_hash=digest).first()
    if known is not None:
        return known, False
    last = template.versions.aggregate(last=Max("number"))["last"] or 0
    version = PromptVersion.objects.create(
        tenant_id=template.tenant_id,
        template=template,
        number=last + 1,
        content_hash=digest,
        prompt=texts.prompt,
        system_prompt=texts.system_prompt,
    )
    return version, True


def _point(template: PromptTemplate, version: PromptVersion, *, actor: str) -> None:
    """Make a version the current one and tell the audit; nothing is written when it already is."""
    before = template.current_version
    if before == version and template.archived_at is None:
        return
    template.current_version = version
    template.archived_at, template.updated_at = None, utc_now()
    template.save(update_fields=["current_version", "archived_at", "updated_at"])
    record("prompt.saved", template, actor=actor, before=_shown(before), after=_shown(version))


def _shown(version: PromptVersion | None) -> Json:
    return None if version is None else {"version": version.number, "content_hash": version.content_hash}
