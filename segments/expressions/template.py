"""Text with expressions in it: `Dear {{ input.name }}`."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kernel.bounded_cache import BoundedCache
from kernel.numbers import without_fraction
from kernel.types import Json
from segments.expressions import address
from segments.expressions.errors import ExpressionError, ExpressionSyntaxError, LimitPassed
from segments.expressions.evaluator import Names
from segments.expressions.expression import Expression, ReadCounter, expression_of, parse, parse_tree
from segments.expressions.hints import foreign_hint
from segments.expressions.limits import MAX_RESULT, MAX_SOURCE, Fuel
from segments.expressions.values import text_of

MAX_KEPT_CHARACTERS = 256 * 1024
"""Of texts whose templates are kept; a character of a text full of fields takes some 110 bytes there."""
SINGLE_BRACES = re.compile(r"\{([^\W\d]\w*)\}")


class Form(StrEnum):
    """Kinds of text a template can fill in.

    VALUE: a text that is one field only gives the field's value with its type, any other gives text. TEXT: always
    text, but null where one field only gives null. PROMPT: always text; ``{name}`` is a field too. PATH and URL: text,
    each value escaped as one segment (``segments.expressions.address``).
    """

    VALUE = "template"
    TEXT = "text"
    PROMPT = "prompt"
    PATH = "path"
    URL = "url"


_ADDRESSES = frozenset({Form.PATH, Form.URL})


@dataclass(frozen=True, slots=True)
class _Field:
    """An expression in a text: where it starts, and what is left verbatim when its single-brace name is unknown."""

    expression: Expression
    offset: int
    verbatim: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it, ready to be filled in.

    Attributes:
        source: The text as written.
        expressions: The expressions in `{{ ... }}`, in order.
        single_brace_names: The names in `{name}`, in order, when those are read at all.
    """

    source: str
    expressions: tuple[Expression, ...]
    single_brace_names: tuple[str, ...]
    _parts: tuple[str | _Field, ...]

    @property
    def is_plain(self) -> bool:
        """Whether nothing has to be filled in."""
        return not self.expressions and not self.single_brace_names

    @property
    def outline(self) -> str:
        """The text with NUL in the place of each field."""
        return "".join(part if isinstance(part, str) else "\0" for part in self._parts)

    def render(self, names: Names, fuel: Fuel | None = None, form: Form = Form.VALUE) -> Json:
        """Fill in the text, as its form says.

        Values are inserted as text, once, and never read as templates again: texts as they are, null as nothing, lists
        and objects as JSON. All fields together may do as much work as one expression, or as the fuel allows.

        Raises:
            ExpressionFailed: A field has no value, or the text would be longer than 1 MiB, or too much work. Positions
                are offsets in the text. AddressRefused: A value cannot be a segment of a path.
        """
        fuel = fuel or Fuel()
        if form in _ADDRESSES:
            pieces = self._pieces(names, fuel, is_in_address=True)
            return address.joined(pieces, is_url=form is Form.URL)
        if form is Form.PROMPT or len(self._parts) != 1 or not isinstance(self._parts[0], _Field):
            return "".join(text for text, _ in self._pieces(names, fuel))
        value = _value(self._parts[0], names, fuel)
        return value if form is Form.VALUE or value is None else text_of(fuel, value)

    def _pieces(self, names: Names, fuel: Fuel, *, is_in_address: bool = False) -> Iterator[address.Piece]:
        """Give the text piece by piece, each with whether it is a value that may have to be escaped."""
        room = MAX_RESULT
        for part in self._parts:
            is_value = isinstance(part, _Field) and not part.expression.is_raw
            if isinstance(part, str):
                piece = part
            else:
                value = _value(part, names, fuel)
                piece = text_of(fuel, without_fraction(value) if is_in_address else value)
            room -= len(piece)
            if room < 0:
                hint = "insert a part of the value, such as `text[:10000]`"
                raise LimitPassed("The text would be longer than 1 MiB.", hint=hint)
            yield piece, is_value


known_templates: BoundedCache[tuple[str, bool], Template] = BoundedCache(MAX_KEPT_CHARACTERS)


def parse_template(text: str, *, single_braces: bool = False) -> Template:
    """Read a text with `{{ expression }}` in it.

    Literal braces are written as an expression: `{{ '{{' }}`.

    Args:
        text: The text.
        single_braces: Read `{name}` as `{{ name }}` too; where the name is unknown when the text is filled in, it
            stays as it is, so that `{"a": 1}` and other uses of braces survive.

    Raises:
        ExpressionSyntaxError: A `{{` is not closed, or what it holds is no expression. Positions are offsets in
            the text.
    """
    if (known := known_templates.get((text, single_braces))) is not None:
        return known
    ReadCounter.characters += len(text)
    parts = tuple(_parts(text, single_braces=single_braces))
    fields = [part for part in parts if isinstance(part, _Field)]
    template = Template(
        source=text,
        expressions=tuple(one.expression for one in fields if one.verbatim is None),
        single_brace_names=tuple(one.expression.source for one in fields if one.verbatim is not None),
        _parts=parts,
    )
    known_templates.put((text, single_braces), template, weight=len(text))
    return template


def _parts(text: str, *, single_braces: bool) -> Iterator[str | _Field]:
    offset = 0
    while (start := text.find("{{", offset)) >= 0:
        yield from _plain_parts(text[offset:start], offset, single_braces=single_braces)
        part, offset = _field(text, start)
        yield part
    yield from _plain_parts(text[offset:], offset, single_braces=single_braces)


def _field(text: str, start: int) -> tuple[_Field, int]:
    """Read the field that opens at an offset; give it with the offset behind it."""
    window = text[start : start + MAX_SOURCE + 4]
    if "}}" not in window:
        raise _not_closed(start)
    try:
        tree, end = parse_tree(window, 2)
        if isinstance(tree, ast.Set):
            raise ExpressionSyntaxError("A set is not JSON.", position=2, hint="make a list of it: `[a, b]`")
    except ExpressionError as error:
        error.position = start + (error.position or 0)
        error.hint = foreign_hint(window[: window.find("}}") + 3]) or error.hint
        raise
    if not window.startswith("}}", end):
        raise _not_closed(start)
    return _Field(expression_of(window[2:end], tree), start), start + end + 2


def _not_closed(start: int) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(
        f"`{{{{` is not closed within {MAX_SOURCE} characters.", position=start, hint="add `}}` after the expression"
    )


def _plain_parts(text: str, offset: int, *, single_braces: bool) -> Iterator[str | _Field]:
    done = 0
    for found in SINGLE_BRACES.finditer(text) if single_braces else ():
        try:
            expression = parse(found.group(1))
        except ExpressionSyntaxError:
            continue  # a word that is no name, such as {class}: ordinary text
        if text[done : found.start()]:
            yield text[done : found.start()]
        yield _Field(expression, offset + found.start(), found.group())
        done = found.end()
    if text[done:]:
        yield text[done:]


def _value(part: _Field, names: Names, fuel: Fuel | None = None) -> Json:
    if part.verbatim is not None and part.expression.source not in names:
        return part.verbatim
    try:
        return part.expression.evaluate(names, fuel)
    except ExpressionError as error:
        error.position = part.offset + (error.position or 0)
        raise
