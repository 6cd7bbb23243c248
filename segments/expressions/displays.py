"""The part of the parser that reads lists, objects, comprehensions and texts with fields in them."""

import ast
import re
from collections.abc import Callable

from segments.expressions.errors import ExpressionSyntaxError, quoted
from segments.expressions.lexer import LexerToken, TokenKind, read_characters
from segments.expressions.reader import Reader

FORMAT = re.compile(r"(?:[<>^]?[0-9]{1,3}|0[0-9]{1,2})?,?(?:\.[0-9]{1,2}f|d|\.[0-9]{1,2}%|%)?")


class Displays(Reader):
    """Reads what stands in square brackets, braces and quotes with fields."""

    def list_display(self) -> ast.expr:
        """Read `[a, *b]` or `[a for b in c if d]`."""
        start = self.advance().start
        elements: list[ast.expr] = []
        while not self.at("]"):
            elements.append(self._element())
            if len(elements) == 1 and self.at("for"):
                generators = self.generators(elements[0])
                self.expect("]", opened_at=start)
                return self.make(ast.ListComp(elt=elements[0], generators=generators), start)
            if not self.accept(","):
                break
        self.expect("]", opened_at=start)
        return self.make(ast.List(elts=elements, ctx=ast.Load()), start)

    def brace_display(self) -> ast.expr:
        """Read `{k: v, **o}`, `{k: v for x in y}` or the set `{a, b}`."""
        start = self.advance().start
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        while not self.at("}"):
            self._entry(keys, values)
            if len(values) == 1 and keys and keys[0] and self.at("for"):
                generators = self.generators(values[0])
                self.expect("}", opened_at=start)
                return self.make(ast.DictComp(key=keys[0], value=values[0], generators=generators), start)
            if not self.accept(","):
                break
        self.expect("}", opened_at=start)
        for key in keys:
            if isinstance(key, ast.Name):
                raise ExpressionSyntaxError(
                    f"The key {quoted(key.id)} can be read in two ways.",
                    position=key.col_offset,
                    hint=f"write `'{key.id}': ...` for the word, `str({key.id}): ...` for the value of the name",
                )
        if keys or not values:
            return self.make(ast.Dict(keys=keys, values=values), start)
        if len(values) == 1 and isinstance(values[0], ast.Set):
            raise ExpressionSyntaxError("A set cannot stand in a set.", position=start)
        return self.make(ast.Set(elts=values), start)

    def _entry(self, keys: list[ast.expr | None], values: list[ast.expr]) -> None:
        is_set = bool(values) and not keys
        if not is_set and self.accept("**"):
            keys.append(None)
            values.append(self.alternative())
            return
        first = self.expression()
        if is_set or (not values and self.at(",", "}")):
            values.append(first)
            return
        self.expect(":")
        keys.append(first)
        values.append(self.expression())

    def _element(self) -> ast.expr:
        if self.at("*"):
            start = self.advance().start
            return self.make(ast.Starred(value=self.alternative(), ctx=ast.Load()), start)
        return self.expression()

    def generators(self, element: ast.expr) -> list[ast.comprehension]:
        """Read the `for a in b if c` parts of a comprehension.

        Args:
            element: What stands before them.

        Raises:
            ExpressionSyntaxError: A part is incomplete, or the element is starred.
        """
        if isinstance(element, ast.Starred):
            raise self.unexpected("a comprehension makes one value for each round")
        found: list[ast.comprehension] = []
        while self.at("for"):
            start = self.advance().start
            target = self._target()
            self.expect("in")
            iterated = self.alternative()
            conditions: list[ast.expr] = []
            while self.accept("if"):
                conditions.append(self.alternative())
            part = ast.comprehension(target=target, iter=iterated, ifs=conditions, is_async=0)
            found.append(self.make(part, start))
        return found

    def _target(self) -> ast.expr:
        start = self.token.start
        names = [self._target_name()]
        is_tuple = False
        while self.accept(","):
            is_tuple = True
            if not self.at("in"):
                names.append(self._target_name())
        return self.make(ast.Tuple(elts=names, ctx=ast.Store()), start) if is_tuple else names[0]

    def _target_name(self) -> ast.expr:
        if self.at("("):
            start = self.advance().start
            target = self.nested(self._target)
            self.expect(")", opened_at=start)
            return target
        if self.token.kind is not TokenKind.NAME:
            raise self.unexpected("a comprehension needs a name after `for`")
        name = self.advance()
        return self.make(ast.Name(id=name.text, ctx=ast.Store()), name.start)

    def quoted_template(self) -> ast.expr:
        """Read an f-text or a backquoted text."""
        opening = self.token
        is_f = opening.text != "`"
        field: Callable[[int], ast.expr] = self._f_field if is_f else self._backquoted_field
        stops = ("{", "}") if is_f else ("${",)
        parts: list[ast.expr] = []
        text, offset = read_characters(self.source, opening.end, opening.text, stops)
        while not self.source.startswith(opening.text, offset):
            parts.append(self.make(ast.Constant(value=text), opening.start))
            if offset >= len(self.source):
                raise ExpressionSyntaxError(
                    "The text is not closed.", position=opening.start, hint=f"add {opening.text} at its end"
                )
            parts.append(field(offset))
            text, offset = read_characters(self.source, self.token.end, opening.text, stops)
        parts.append(self.make(ast.Constant(value=text), opening.start))
        self.move_to(offset + 1)
        return self.make(ast.JoinedStr(values=parts), opening.start)

    def _backquoted_field(self, start: int) -> ast.expr:
        self.move_to(start + 2)
        value = self.nested(self.expression)
        return self._field(value, None, start)

    def _f_field(self, start: int) -> ast.expr:
        doubled = self.source[start : start + 2]
        if doubled in {"{{", "}}"}:
            self.token = LexerToken(TokenKind.SYMBOL, doubled, start, start + 2)
            return self.make(ast.Constant(value=doubled[0]), start)
        if doubled.startswith("}"):
            raise ExpressionSyntaxError("A lone `}` stands in the text.", position=start, hint="write `}}`")
        self.move_to(start + 1)
        value = self.nested(self.expression)
        if self.at("!"):
            raise self.unexpected("a value is always written as `str(value)` writes it")
        if not self.at(":"):
            return self._field(value, None, start)
        end = self.source.find("}", self.token.end)
        spec = self.source[self.token.end : end]
        if end < 0 or not FORMAT.fullmatch(spec):
            raise ExpressionSyntaxError(
                f"The format {quoted(spec)} is not supported.",
                position=self.token.start,
                hint="write a format such as `:.2f`, `:,.2f`, `:05d`, `:>10` or `:.0%`",
            )
        self.move_to(end)
        return self._field(value, self.make(ast.Constant(value=spec), start), start)

    def _field(self, value: ast.expr, spec: ast.expr | None, start: int) -> ast.expr:
        if not self.at("}"):
            raise self.unexpected(f"the field opened at position {start} is not closed")
        return self.make(ast.FormattedValue(value=value, conversion=-1, format_spec=spec), start)
