"""Changes of stored prompts: save, archive."""

from dataclasses import asdict, dataclass

from foundation.scope import tenant_scope
from kernel.canonical import content_hash
from segments.definition.prompt_names import TEMPLATE_ID
from segments.errors import PromptIdInvalid, PromptInvalid, PromptNotFound
from segments.models import PromptTemplate, PromptVersion
from segments.preconditions import NOTHING_REQUIRED, Preconditions
from segments.prompts.rules import PromptTexts, problems
from segments.versioned import PROMPT, archive, find_or_add_version, lock_document, point_to, tag_of
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A prompt after saving. ``created`` says whether its content is a new version."""

    template: PromptTemplate
    version: PromptVersion
    created: bool


def save_prompt(
    *,
    tenant: Tenant,
    actor: str,
    template_id: str,
    texts: PromptTexts,
    preconditions: Preconditions = NOTHING_REQUIRED,
) -> SavedPrompt:
    """Make texts the prompt's current version; the prompt is created, or taken out of the archive.

    Equal texts are the same version: saving them again changes nothing, saving earlier ones moves the current pointer
    back. The prompt's row is locked until the transaction ends, so versions are numbered without gaps.

    Args:
        tenant: Owner.
        actor: For the audit.
        template_id: Which prompt.
        texts: What it says.
        preconditions: What the present content must be.

    Raises:
        PromptIdInvalid: The name cannot be one.
        PromptInvalid: All that is wrong with the texts.
        RevisionMismatch: The present content is another.
    """
    if TEMPLATE_ID.fullmatch(template_id) is None:
        raise PromptIdInvalid
    found = list(problems(texts))
    if found:
        raise PromptInvalid(errors=found)
    with tenant_scope(tenant.id):
        template = lock_document(PromptTemplate.objects.all(), PROMPT, tenant=tenant, template_id=template_id)
        preconditions.check(tag_of(template, PROMPT))
        contents = asdict(texts)
        version, created = find_or_add_version(
            template, PROMPT, digest=content_hash(contents), contents=lambda: contents
        )
        point_to(template, PROMPT, version, actor=actor)
    return SavedPrompt(template, version, created)


def archive_prompt(
    *, tenant: Tenant, actor: str, template_id: str, preconditions: Preconditions = NOTHING_REQUIRED
) -> None:
    """Take a prompt out of lists; steps that use it fail. Its versions stay; saving it brings it back.

    Repeating it changes nothing.

    Raises:
        PromptNotFound: The tenant has no such prompt.
        RevisionMismatch: The present content is not what ``preconditions`` require.
    """
    if TEMPLATE_ID.fullmatch(template_id) is None:
        raise PromptNotFound
    with tenant_scope(tenant.id):
        rows = PromptTemplate.objects.filter(template_id=template_id)
        if not archive(rows, PROMPT, actor=actor, preconditions=preconditions):
            raise PromptNotFound
