"""Names of stored prompts in a step: ``name`` for the version current when it runs, ``name@3`` for a fixed one."""

import re
from dataclasses import dataclass
from typing import Final

TEMPLATE_ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_NAME: Final = re.compile(r"([a-z][a-z0-9_-]{0,63})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, slots=True)
class PromptName:
    """A prompt, and one of its versions; None for the current one."""

    template_id: str
    number: int | None = None

    def __str__(self) -> str:
        return self.template_id if self.number is None else f"{self.template_id}@{self.number}"


def read_prompt_name(text: str) -> PromptName | None:
    """Read a name; None where the text cannot be one."""
    found = _NAME.fullmatch(text)
    return None if found is None else PromptName(found[1], int(found[2]) if found[2] else None)
