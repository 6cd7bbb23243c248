"""Spellings of other canvases, with what they are here, for the errors of texts that cannot be read."""

import re
from typing import Final

_LOOKED_AT: Final = 4_000  # characters

# The first that is found tells; all are linear in the text.
_SPELLINGS: Final = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"\{\{\s*#\s*(?:if|unless)\b", "write a conditional: `{{ a if condition else b }}`"),
        (r"\{\{\s*#\s*(?:each|with)\b", "write a comprehension: `{{ [x.name for x in list] }}`"),
        (r"\{\{\s*#", "`{{#a.b#}}` is `{{ steps.a.output.b }}` here, and `{{ input.b }}` what comes in"),
        (r"\{\{\{", "two braces are enough: `{{ input.name }}`"),
        (r"\A\s*=\s*\{\{", "leave out the `=` before the braces"),
        (r"\$json\b", "names have no prefix: `$json.name` is `input.name` here"),
        (r"\$(?:node\b|\()", "names have no prefix: what a step gave is `steps.<step_id>.output`"),
        (r"\$(?:input|items)\b", "names have no prefix: what comes in is `input`"),
        (r"\$(?:env|vars|secrets)\b", "names have no prefix: keep secrets in a connection, and give the rest as input"),
        (r"\$(?:execution|workflow|run)\b", "names have no prefix: the run is `run`, as in `run.id`"),
        (r"(?<![\w.])\d+\.[A-Za-z_]", "what a step gave is `steps.<step_id>.output`, by its id and not its number"),
    )
)
_BRACED: Final = re.compile(r"\{\{[^{}'\"]*\}\}")


def foreign_hint(text: str) -> str | None:
    """Say what to write instead of another canvas's spelling in a text that cannot be read; None where it has none."""
    beginning = text[:_LOOKED_AT]
    found = next((hint for pattern, hint in _SPELLINGS if pattern.search(beginning)), None)
    braced = _BRACED.search(beginning)
    if found is None and braced is not None and braced.group() != beginning.strip():
        return "an expression has no braces around names: `input.a`, not `{{ input.a }}`"
    return found
