"""Advice in errors: the nearest name, and what to write instead of the words of other languages."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

from segments.expressions.errors import quoted

CANDIDATES_LOOKED_AT = 200
MAX_CANDIDATE_LENGTH = 64

COMPREHENSION = "use a comprehension: `[x.name for x in list if x.ready]`"

REFUSED_SYMBOLS = {
    "=>": COMPREHENSION,
    "->": COMPREHENSION,
    ":=": "an expression cannot set names",
    "<<": "bit operators are not supported",
    ">>": "bit operators are not supported",
    "<>": "use `!=`",
    "&": "use `and`",
    "|": "use `or`, or call the function: `upper(name)`",
    "^": "use `**` for powers",
    "~": "use `not`",
    "@": "names have no prefix",
    "$": "names have no prefix: write `input.name`",
    "#": "comments are not supported",
    ";": "write one expression",
    "\\": "a long expression may go on in the next line as it is",
}
# The lexer looks for `&&` and `||`, which belong to the language, before these.

REFUSED_WORDS = {
    "lambda": COMPREHENSION,
    "function": COMPREHENSION,
    "await": "an expression does not wait",
    "async": "an expression does not wait",
    "yield": "write one expression",
    "typeof": "compare with a value: `x is null`",
    "instanceof": "compare with a value: `x is null`",
    "new": "an expression cannot create objects of classes",
    "undefined": "use `null`; a key that may be missing is read with `x.get('key')`",
    "NaN": "every number is finite",
    "Infinity": "every number is finite",
    "AND": "use `and`",
    "OR": "use `or`",
    "NOT": "use `not`",
    "IN": "use `in`",
    **dict.fromkeys(
        (
            *("assert", "break", "class", "continue", "def", "del", "elif", "except", "finally", "from", "global"),
            *("import", "nonlocal", "pass", "raise", "return", "try", "while", "with"),
        ),
        "write one expression, not a program",
    ),
}

WORD_OPERATORS = {
    "equals": "use `==`",
    "eq": "use `==`",
    "ne": "use `!=`",
    "gt": "use `>`",
    "gte": "use `>=`",
    "lt": "use `<`",
    "lte": "use `<=`",
    "mod": "use `%`",
    "includes": "use `contains`",
}

ELSEWHERE = {
    "Math": "use the functions `round(x)`, `floor(x)`, `ceil(x)`, `min(a, b)`, `max(a, b)`, `abs(x)`",
    "JSON": "use `parse_json(text)` and `to_json(value)`",
    "Object": "use `keys(x)`, `values(x)` and `items(x)`",
    "parseInt": "use `int(x)`",
    "parseFloat": "use `float(x)`",
    "Number": "use `float(x)` or `int(x)`",
    "String": "use `str(x)`",
    "Boolean": "use `bool(x)`",
    "isinstance": "use `is_text(x)`, `is_number(x)`, `is_list(x)`, ...",
    "typeof": "use `type(x)`",
    "Date": "use `now()` and `date(x)`",
    "DateTime": "use `now()` and `date(x)`",
    "formatDate": "use `date_format(x, '%d.%m.%Y')`",
    "strftime": "use `date_format(x, '%d.%m.%Y')`",
    "toISOString": "use `date(x)`",
    "addDays": "use `date_add(x, 3, 'days')`",
    "regex": "use `matches(text, pattern)`, `find`, `replace_re`, `split_re`",
    "test": "use `matches(text, pattern)`",
    "match": "use `find(text, pattern)`",
    "encodeURIComponent": "use `urlencode(text)`",
    "groupby": "use `group_by(list, 'key')`",
    "map": COMPREHENSION,
    "filter": COMPREHENSION,
    "forEach": COMPREHENSION,
    "some": "use `any(x.ready for x in list)`",
    "every": "use `all(x.ready for x in list)`",
    "reduce": "use `sum(x.amount for x in list)`",
    "format": "use an f-text: `f'{total:.2f} EUR'`",
    "format_map": "use an f-text: `f'{total:.2f} EUR'`",
    "sort": "data cannot be changed: use `sorted(list)`",
    "reverse": "data cannot be changed: use `reversed(list)`",
    "append": "data cannot be changed: use `[*list, value]`",
    "push": "data cannot be changed: use `[*list, value]`",
    "extend": "data cannot be changed: use `list + other`",
    "update": "data cannot be changed: use `{**object, 'key': value}`",
    "pop": "data cannot be changed: use `list[-1]` or `list[:-1]`",
}


OF_DATES = dict.fromkeys(
    ("year", "month", "day", "hour", "minute", "second", "weekday", "getFullYear", "getMonth", "getDate", "getDay"),
    "a date is a text: `date_part(x, 'year')`",
)
"""Members of dates in other languages, where they are no texts."""


def date_hint(kind: str, name: str | None) -> str | None:
    """Say what to write for what dates have in other languages."""
    return OF_DATES.get(name or "") if kind == "text" else None


def nearest(wanted: str, candidates: Iterable[object]) -> str | None:
    """Say which existing name was probably meant.

    Only the first candidates are looked at, so that the cost is bounded on any data.

    Args:
        wanted: The name as the source spells it.
        candidates: The names that exist; other things than short texts are skipped.

    Returns:
        A hint, or None when no name is near.
    """
    names = [
        name
        for name in islice(candidates, CANDIDATES_LOOKED_AT)
        if isinstance(name, str) and len(name) <= MAX_CANDIDATE_LENGTH
    ]
    by_lower_case = {name.lower(): name for name in reversed(names)}
    close = get_close_matches(wanted[:MAX_CANDIDATE_LENGTH].lower(), by_lower_case, n=1, cutoff=0.6)
    return f"did you mean {quoted(by_lower_case[close[0]])}?" if close else None


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
