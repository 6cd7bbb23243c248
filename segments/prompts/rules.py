"""Rules of stored prompts. Pure; errors point at the place in the text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernel.errors import ErrorItem
from segments.expressions import ExpressionSyntaxError, parse_template

MAX_CHARACTERS: Final = 100_000
MAX_BRACES: Final = 2_000
"""Most braces that may open in a text: each may begin an expression."""


@dataclass(frozen=True, slots=True)
class PromptTexts:
    """Texts of a version."""

    prompt: str
    system_prompt: str = ""


def problems(texts: PromptTexts) -> Iterator[ErrorItem]:
    """Find what keeps a prompt from being used; whether its names have values shows when a step uses it."""
    for name, text in (("prompt", texts.prompt), ("system_prompt", texts.system_prompt)):
        yield from _of_text(name, text)
    if not texts.prompt.strip():
        yield ErrorItem(code="PROMPT_EMPTY", detail="The prompt is empty.", pointer="/prompt")


def _of_text(name: str, text: str) -> Iterator[ErrorItem]:
    if len(text) > MAX_CHARACTERS:
        detail = f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are kept."
        yield ErrorItem(code="TOO_LARGE", detail=detail, pointer=f"/{name}")
    elif text.count("{") > MAX_BRACES:
        detail = f"The text opens more than {MAX_BRACES:,} braces."
        yield ErrorItem(code="TOO_LARGE", detail=detail, pointer=f"/{name}")
    else:
        try:
            parse_template(text, single_braces=True)
        except ExpressionSyntaxError as error:
            where = "" if error.position is None else f" (at position {error.position})"
            yield ErrorItem(code=error.code, detail=f"{error.message}{where}", pointer=f"/{name}", hint=error.hint)
