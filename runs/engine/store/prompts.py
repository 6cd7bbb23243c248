"""Stored prompts in the database."""

from dataclasses import dataclass
from uuid import UUID

from runs.engine.store.connection import Database, transaction
from runs.step_api.resources import Prompt
from segments.definition.prompt_names import PromptName

PROMPT = """
select t.archived_at is not null, v.number, v.prompt, v.system_prompt
from segments_prompttemplate t
left join segments_promptversion v on v.template_id = t.id and
  case when %(number)s::int is null then v.id = t.current_version_id else v.number = %(number)s::int end
where t.tenant_id = %(tenant)s and t.template_id = %(name)s
"""


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """Result of a look-up by name: ``prompt`` is None where the prompt has no such version."""

    is_archived: bool
    prompt: Prompt | None


def read_prompt(connection: Database, tenant_id: UUID, name: PromptName) -> FoundPrompt | None:
    """Read a version of a tenant's prompt; None where the tenant has no such prompt."""
    asked = {"tenant": tenant_id, "name": name.template_id, "number": name.number}
    with transaction(connection):
        row = connection.execute(PROMPT, asked).fetchone()
    if row is None:
        return None
    is_archived, number, prompt, system_prompt = row
    return FoundPrompt(is_archived, None if number is None else Prompt(name.template_id, number, prompt, system_prompt))
