"""Read an expression into a tree of Python's `ast` nodes.

The grammar is Python's for expressions, less what has no place in a workflow, plus the spellings people
bring from JavaScript: `&&`, `||`, `!`, `===`, `a ? b : c`, `??`, `?.`, backquoted texts. It is read here and
not by `ast.parse` because those bind differently (`!a == b`), because every error has to name its place in the
text as written, and because depth and size have to be known before anything is built.

From the loosest to the tightest: conditional, `??`, `or`, `and`, `not`, comparisons, `+ -`, `* / // %`, prefix
`- + !`, `**`, and `.name`, `[key]`, `(arguments)`.
"""

import ast
from collections.abc import Callable, Mapping
from math import isfinite
from typing import cast

from kernel.numbers import changed_digits
from segments.expressions.displays import Displays
from segments.expressions.errors import ExpressionFailed, ExpressionSyntaxError, quoted
from segments.expressions.functions import FUNCTIONS
from segments.expressions.functions.patterns import PATTERNS, check_pattern
from segments.expressions.hints import ELSEWHERE, REFUSED_WORDS, WORD_OPERATORS, nearest
from segments.expressions.lexer import LexerToken, TokenKind
from segments.expressions.limits import MAX_INTEGER, integer_too_large, number_too_large
from segments.expressions.nodes import Coalesce, OptionalChain, OptionalLink

CONSTANTS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
COMPARISONS: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "===": ast.Eq,
    "!=": ast.NotEq,
    "!==": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "in": ast.In,
    "not in": ast.NotIn,
    "is": ast.Is,
    "is not": ast.IsNot,
    "contains": ast.In,
    "not contains": ast.NotIn,
}
SUMS: dict[str, type[ast.operator]] = {"+": ast.Add, "-": ast.Sub}
PRODUCTS: dict[str, type[ast.operator]] = {"*": ast.Mult, "/": ast.Div, "//": ast.FloorDiv, "%": ast.Mod}
PREFIXES: dict[str, type[ast.unaryop]] = {"-": ast.USub, "+": ast.UAdd, "!": ast.Not}
LAZY_FUNCTIONS = ("coalesce", "default")


class Parser(Displays):
    """Reads operators, chains and calls; see the module for the grammar."""

    def __init__(self, source: str, start: int = 0) -> None:
        """Look at the first token at or after `start`."""
        super().__init__(source, start)
        self._in_brackets: set[int] = set()  # ids of nodes that had brackets of their own

    def expression(self) -> ast.expr:
        """Read a whole expression, with its conditional if it has one."""
        return self.nested(self._conditional)

    def _conditional(self) -> ast.expr:
        first = self.alternative()
        if self.at("?"):
            start = self.advance().start
            body = self.expression()
            self.expect(":")
            return self.make(ast.IfExp(test=first, body=body, orelse=self.expression()), start)
        if self.at("if"):
            start = self.advance().start
            test = self.alternative()
            self.expect("else")
            return self.make(ast.IfExp(test=test, body=first, orelse=self.expression()), start)
        return first

    def alternative(self) -> ast.expr:
        """Read an expression that has no conditional outside brackets."""
        left = self._disjunction()
        while self.at("??"):
            start = self.advance().start
            right = self._disjunction()
            if any(isinstance(side, ast.BoolOp) and id(side) not in self._in_brackets for side in (left, right)):
                raise ExpressionSyntaxError(
                    "`??` stands beside `and` or `or`.", position=start, hint="put one of them in brackets"
                )
            left = self.make(Coalesce(left=left, right=right), start)
        return left

    def _disjunction(self) -> ast.expr:
        return self._joined(("or", "||"), ast.Or, self._conjunction)

    def _conjunction(self) -> ast.expr:
        return self._joined(("and", "&&"), ast.And, self._negation)

    def _joined(self, spellings: tuple[str, ...], kind: type[ast.boolop], read: Callable[[], ast.expr]) -> ast.expr:
        start = self.token.start
        values = [read()]
        while self.at(*spellings):
            self.advance()
            values.append(read())
        return values[0] if len(values) == 1 else self.make(ast.BoolOp(op=kind(), values=values), start)

    def _negation(self) -> ast.expr:
        if not self.at("not"):
            return self._comparison()
        start = self.advance().start
        return self.make(ast.UnaryOp(op=ast.Not(), operand=self.nested(self._negation)), start)

    def _comparison(self) -> ast.expr:
        start = self.token.start
        operands = [self._sum()]
        words: list[str] = []
        while (word := self._comparison_word(operands[-1])) is not None:
            words.append(word)
            operands.append(self._sum())
            self._check_comparison(word, operands[-1], start)
        if not words:
            return operands[0]
        if words[-1].endswith("contains"):
            operands.reverse()
        if len(words) > 1 and any(word.endswith("contains") for word in words):
            raise ExpressionSyntaxError(
                "`contains` stands in a chain of comparisons.", position=start, hint="put it in brackets"
            )
        operators = [COMPARISONS[word]() for word in words]
        return self.make(ast.Compare(left=operands[0], ops=operators, comparators=operands[1:]), start)

    def _comparison_word(self, left: ast.expr) -> str | None:
        """Take a comparison operator if one comes next, as its key in `COMPARISONS`."""
        if self.token.kind is TokenKind.NAME:
            return self._word_operator()
        if self.at("not"):
            self.advance()
            if self.token.text not in {"in", "contains"}:
                raise self.unexpected("`not in` or `not contains` is expected")
            return f"not {self.advance().text}"
        if not (self.token.kind in {TokenKind.SYMBOL, TokenKind.WORD} and self.token.text in COMPARISONS):
            return None
        word = self.advance().text
        if word == "is" and self.accept("not"):
            return "is not"
        if word == "in" and self._is_bare_not(left):
            raise ExpressionSyntaxError(
                "`!a in b` can be read in two ways.", position=left.col_offset, hint="write `a not in b`"
            )
        return word

    def _is_bare_not(self, node: ast.expr) -> bool:
        return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and id(node) not in self._in_brackets

    def _word_operator(self) -> str:
        """Take `contains`, the one name that may stand between two values."""
        if self.token.text != "contains":
            hint = REFUSED_WORDS.get(self.token.text) or WORD_OPERATORS.get(self.token.text.lower())
            raise self.unexpected(hint or "an operator or the end is expected")
        return self.advance().text

    def _check_comparison(self, word: str, right: ast.expr, start: int) -> None:
        is_constant = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
        if word.startswith("is") and not is_constant:
            raise ExpressionSyntaxError(
                "`is` compares with `null`, `true` or `false` only.", position=start, hint="use `==` or `!=`"
            )

    def _sum(self) -> ast.expr:
        return self._operation(SUMS, self._product)

    def _product(self) -> ast.expr:
        return self._operation(PRODUCTS, self._prefixed)

    def _operation(self, operators: Mapping[str, type[ast.operator]], read: Callable[[], ast.expr]) -> ast.expr:
        left = read()
        while self.at(*operators):
            operator = self.advance()
            left = self.make(ast.BinOp(left=left, op=operators[operator.text](), right=read()), operator.start)
        return left

    def _prefixed(self) -> ast.expr:
        if self.at(*PREFIXES):
            prefix = self.advance()
            operand = self.nested(self._prefixed)
            return self.make(ast.UnaryOp(op=PREFIXES[prefix.text](), operand=operand), prefix.start)
        base = self._chain()
        if self.at("**"):
            start = self.advance().start
            return self.make(ast.BinOp(left=base, op=ast.Pow(), right=self.nested(self._prefixed)), start)
        return base

    def _chain(self) -> ast.expr:
        node = self._atom()
        is_optional = False
        while self.at(".", "?.", "[", "("):
            if self.at("?."):
                is_optional = True
                start = self.advance().start
                node = self.make(OptionalLink(value=node), start)
                node = self._subscript(node) if self.at("[") else self._attribute(node)
            elif self.at("["):
                node = self._subscript(node)
            elif self.at("("):
                node = self._call(node)
            else:
                self.advance()
                node = self._attribute(node)
        return self.make(OptionalChain(value=node), node.col_offset) if is_optional else node

    def _attribute(self, node: ast.expr) -> ast.expr:
        if self.token.kind not in {TokenKind.NAME, TokenKind.WORD}:
            raise self.unexpected("a key is expected after `.`; other keys are read as `x['key']`")
        name = self.advance()
        if isinstance(node, ast.Constant) and type(node.value) is int and not self.at("("):
            raise ExpressionSyntaxError("A number has no keys.", position=name.start)
        return self.make(ast.Attribute(value=node, attr=name.text, ctx=ast.Load()), name.start)

    def _subscript(self, node: ast.expr) -> ast.expr:
        start = self.advance().start
        bounds: list[ast.expr | None] = [None]
        while not self.at("]"):
            if self.at(":") and len(bounds) < 3:
                self.advance()
                bounds.append(None)
            elif bounds[-1] is None:
                bounds[-1] = self.expression()
            else:
                break
        self.expect("]", opened_at=start)
        if bounds == [None]:
            raise ExpressionSyntaxError("The brackets hold no key.", position=start)
        lower, upper, step = (*bounds, None, None)[:3]
        is_slice = len(bounds) > 1 or lower is None
        key = self.make(ast.Slice(lower=lower, upper=upper, step=step), start) if is_slice else lower
        return self.make(ast.Subscript(value=node, slice=cast("ast.expr", key), ctx=ast.Load()), start)

    def _call(self, callee: ast.expr) -> ast.expr:
        start = self.advance().start
        arguments: list[ast.expr] = []
        keywords: list[ast.keyword] = []
        while not self.at(")"):
            self._argument(arguments, keywords)
            if not self.accept(","):
                break
        self.expect(")", opened_at=start)
        if isinstance(callee, ast.Attribute):
            return self.make(ast.Call(func=callee, args=arguments, keywords=keywords), callee.col_offset)
        if not isinstance(callee, ast.Name):
            raise ExpressionSyntaxError("Only functions and methods can be called.", position=start)
        return self._function_call(callee, arguments, keywords)

    def _function_call(self, callee: ast.Name, arguments: list[ast.expr], keywords: list[ast.keyword]) -> ast.expr:
        name, position = callee.id, callee.col_offset
        if name in LAZY_FUNCTIONS:
            if keywords or len(arguments) < 2:
                raise ExpressionSyntaxError(f"{quoted(name)} needs at least 2 arguments.", position=position)
            node = arguments[0]
            for other in arguments[1:]:
                node = self.make(Coalesce(left=node, right=other), position)
            return node
        if name not in FUNCTIONS:
            hint = ELSEWHERE.get(name) or nearest(name, (*FUNCTIONS, *LAZY_FUNCTIONS))
            raise ExpressionSyntaxError(f"There is no function {quoted(name)}.", position=position, hint=hint)
        complaint = FUNCTIONS[name].complaint(len(arguments), [keyword.arg or "" for keyword in keywords])
        if complaint:
            raise ExpressionSyntaxError(f"{quoted(name)} {complaint}", position=position)
        _check_constant_pattern(name, arguments)
        return self.make(ast.Call(func=callee, args=arguments, keywords=keywords), position)

    def _argument(self, arguments: list[ast.expr], keywords: list[ast.keyword]) -> None:
        if self.at("*", "**"):
            raise self.unexpected("pass the list itself: `max(list)`")
        start = self.token.start
        value = self.expression()
        if self.at("=") and isinstance(value, ast.Name):
            self.advance()
            keywords.append(self.make(ast.keyword(arg=value.id, value=self.expression()), start))
        elif keywords:
            raise ExpressionSyntaxError("An argument without a name follows one with a name.", position=start)
        elif self.at("for"):
            generators = self.generators(value)
            arguments.append(self.make(ast.GeneratorExp(elt=value, generators=generators), start))
        else:
            arguments.append(value)

    def _atom(self) -> ast.expr:
        token = self.token
        if token.kind is TokenKind.TEMPLATE:
            return self.quoted_template()
        if token.kind in {TokenKind.NAME, TokenKind.TEXT, TokenKind.NUMBER}:
            self.advance()
            return self.make(_leaf(token), token.start)
        if self.at("["):
            return self.list_display()
        if self.at("{"):
            return self.brace_display()
        if self.at("("):
            return self._bracketed()
        raise self.unexpected("a value is expected")

    def _bracketed(self) -> ast.expr:
        """Read `(a)` or the tuple `(a, b)`, which is a list to this language."""
        start = self.advance().start
        elements: list[ast.expr] = []
        is_tuple = self.at(")")
        while not self.at(")"):
            elements.append(self.expression())
            if self.at("for"):
                raise self.unexpected("put a comprehension in square brackets")
            if not self.accept(","):
                break
            is_tuple = True
        self.expect(")", opened_at=start)
        if is_tuple:
            return self.make(ast.Tuple(elts=elements, ctx=ast.Load()), start)
        self._in_brackets.add(id(elements[0]))
        return elements[0]


def _check_constant_pattern(name: str, arguments: list[ast.expr]) -> None:
    """Find what is wrong with a regular expression that stands in the source."""
    pattern = arguments[1] if name in PATTERNS else None
    if isinstance(pattern, ast.Constant) and isinstance(pattern.value, str):
        try:
            check_pattern(pattern.value)
        except ExpressionFailed as error:
            raise ExpressionSyntaxError(error.message, position=pattern.col_offset, hint=error.hint) from None


def _leaf(token: LexerToken) -> ast.expr:
    """Make the node of a name, a text or a number."""
    if token.kind is TokenKind.TEXT:
        return ast.Constant(value=token.text)
    if token.text in REFUSED_WORDS and token.kind is TokenKind.NAME:
        hint = REFUSED_WORDS[token.text]
        raise ExpressionSyntaxError(f"{quoted(token.text)} is not supported.", position=token.start, hint=hint)
    if token.kind is TokenKind.NAME:
        if token.text in CONSTANTS:
            return ast.Constant(value=CONSTANTS[token.text])
        return ast.Name(id=token.text, ctx=ast.Load())
    return ast.Constant(value=_number(token))


def _number(token: LexerToken) -> int | float:
    if token.text.isdigit():
        if len(token.text) <= 16 and int(token.text) <= MAX_INTEGER:
            return int(token.text)
        failure = integer_too_large()
    elif not isfinite(number := float(token.text)):
        failure = number_too_large()
    elif changed_digits(token.text) is None:
        return number
    else:
        failure = integer_too_large()
    raise ExpressionSyntaxError(failure.message, position=token.start, hint=failure.hint)
