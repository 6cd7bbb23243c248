"""An expression: parsed once, evaluated often."""

import ast
from dataclasses import dataclass, field

from kernel.bounded_cache import BoundedCache
from kernel.turns.work_pace import pause
from kernel.types import Json
from segments.expressions.errors import ExpressionSyntaxError
from segments.expressions.evaluator import Evaluator, Names
from segments.expressions.hints import foreign_hint
from segments.expressions.limits import MAX_SOURCE, Fuel
from segments.expressions.nodes import Coalesce
from segments.expressions.parser import Parser
from segments.expressions.references import References, references_of
from segments.expressions.values import plain

MAX_KEPT_CHARACTERS = 256 * 1024
"""Of sources whose expressions are kept; a character takes up to 140 bytes there."""


class ReadCounter:
    """Number of source characters this process has read; what it caches is not read again."""

    characters = 0


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes:
        source: The expression as written.
        names: The names it reads from outside, such as `input` and `steps`.
        steps: The steps it names, as `steps.<id>` or `steps["<id>"]`.
        needed_steps: Those of them that it cannot do without: not read by `get(steps, ...)`, which has a default.
        needed_alternatives: Steps of which it needs one of each group, as of `steps.a.output ?? steps.b.output`.
        called_steps: The steps it names by `steps.<id>.resume_url`, which is there before they have run.
        dynamic_steps: It reads `steps` in another way too, so any step may be meant.
        is_raw: It is a call of `raw`: in a path or URL its value is not escaped.
    """

    source: str
    names: frozenset[str]
    steps: frozenset[str]
    needed_steps: frozenset[str]
    needed_alternatives: frozenset[frozenset[str]]
    called_steps: frozenset[str]
    dynamic_steps: bool
    is_raw: bool
    _tree: ast.expr = field(repr=False, compare=False)

    def is_made_by(self, functions: frozenset[str]) -> bool:
        """Whether its value is made of literals and of what some functions give, and of nothing else."""
        return _is_made_by(self._tree, functions)

    def evaluate(self, names: Names, fuel: Fuel | None = None) -> Json:
        """Give the value of the expression.

        The same names give the same value. The names' values are not changed, and the result shares nothing
        with them. Takes less than 50 ms and 32 MiB whatever the values are.

        Args:
            names: What the names mean; only those the expression reads are asked for.
            fuel: What is left of a work that several expressions share; None: as much as one may have.

        Returns:
            Plain JSON, at most 1 MiB and 64 levels deep.

        Raises:
            ExpressionFailed: It has no value on these names, or would take too much work.
        """
        fuel = fuel or Fuel()
        return plain(Evaluator(names, fuel).evaluate(self._tree), fuel)


known_expressions: BoundedCache[str, Expression] = BoundedCache(MAX_KEPT_CHARACTERS)


def parse(source: str) -> Expression:
    """Read an expression; one written as `{{ expression }}` is the expression inside.

    Args:
        source: The text, at most 2,000 characters.

    Returns:
        The expression, the same object for the same source while it is remembered.

    Raises:
        ExpressionSyntaxError: The text is no expression, or too large a one.
    """
    if (known := known_expressions.get(source)) is not None:
        return known
    pause()
    ReadCounter.characters += len(source)
    try:
        expression = _read(source)
    except ExpressionSyntaxError as error:
        error.hint = foreign_hint(source) or error.hint
        raise
    known_expressions.put(source, expression, weight=len(source))
    return expression


def _read(source: str) -> Expression:
    if len(source) > MAX_SOURCE:
        raise ExpressionSyntaxError(
            f"The expression is longer than {MAX_SOURCE} characters.",
            position=MAX_SOURCE,
            hint="compute parts of it in a step of their own",
        )
    start = len(source) - len(source.lstrip())
    is_wrapped = source.startswith("{{", start)
    tree, end = parse_tree(source, start + 2 if is_wrapped else start)
    if is_wrapped:
        if not source.startswith("}}", end):
            raise ExpressionSyntaxError("`{{` is not closed.", position=start, hint="add `}}` after the expression")
        end += 2
    rest = source[end:]
    if rest.strip():
        position = end + len(rest) - len(rest.lstrip())
        raise ExpressionSyntaxError(
            "The expression ends here, but the text goes on.", position=position, hint="write one expression"
        )
    return expression_of(source, tree)


def expression_of(source: str, tree: ast.expr) -> Expression:
    """Make an expression of a source and its tree."""
    found: References = references_of(tree)
    is_raw = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "raw"
    return Expression(
        source,
        found.names,
        found.steps,
        found.needed_steps,
        found.needed_alternatives,
        found.called_steps,
        found.dynamic_steps,
        is_raw,
        tree,
    )


def _is_made_by(tree: ast.expr, functions: frozenset[str]) -> bool:
    if isinstance(tree, ast.Constant):
        return True
    if isinstance(tree, ast.Call):
        return isinstance(tree.func, ast.Name) and tree.func.id in functions
    parts: tuple[ast.expr, ...] = ()
    if isinstance(tree, ast.IfExp):
        parts = (tree.body, tree.orelse)
    elif isinstance(tree, ast.BinOp | Coalesce):
        parts = (tree.left, tree.right)
    return bool(parts) and all(_is_made_by(part, functions) for part in parts)


def parse_tree(source: str, start: int) -> tuple[ast.expr, int]:
    """Read the expression that starts at an offset.

    Returns:
        Its tree, and the offset of the first token behind it.

    Raises:
        ExpressionSyntaxError: No expression stands there.
    """
    parser = Parser(source, start)
    if parser.at("", "}"):
        raise ExpressionSyntaxError("The expression is empty.", position=start)
    tree = parser.expression()
    if not parser.at("", "}"):
        hint = "write a list as `[a, b]`, a fraction as `1.5`" if parser.at(",") else "an operator is expected"
        raise parser.unexpected(hint)
    if isinstance(tree, ast.Tuple):
        raise ExpressionSyntaxError("JSON has no tuples.", position=tree.col_offset, hint="write a list: `[a, b]`")
    return tree, parser.token.start
