"""The part of the parser that moves through the tokens and makes bounded nodes."""

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from segments.expressions.errors import ExpressionSyntaxError, quoted
from segments.expressions.lexer import LexerToken, TokenKind, next_token
from segments.expressions.limits import MAX_DEPTH, MAX_HEIGHT, MAX_NODES

NodeType = TypeVar("NodeType", bound=ast.AST)
ANSWERS = {"=": "use `==` to compare", "?": "write `condition ? a : b`"}


class Reader(ABC):
    """A place in a source, one token ahead, and a count of what was made of it.

    Attributes:
        source: The text being read.
        token: The next token; nothing behind it has been looked at.
    """

    def __init__(self, source: str, start: int) -> None:
        """Look at the first token at or after `start`."""
        self.source = source
        self.token = next_token(source, start)
        self._depth = 0
        self._heights: dict[int, int] = {}  # by the id of a node; all nodes live as long as the reader

    @abstractmethod
    def expression(self) -> ast.expr:
        """Read a whole expression: what may stand in brackets or between commas."""

    @abstractmethod
    def alternative(self) -> ast.expr:
        """Read an expression that has no conditional outside brackets."""

    def at(self, *texts: str) -> bool:
        """Tell whether the next token is one of these words or symbols; the end is the empty symbol."""
        return self.token.text in texts and self.token.kind in {TokenKind.WORD, TokenKind.SYMBOL, TokenKind.END}

    def advance(self) -> LexerToken:
        """Take the next token."""
        token = self.token
        self.token = next_token(self.source, token.end)
        return token

    def move_to(self, offset: int) -> None:
        """Go on reading at an offset."""
        self.token = next_token(self.source, offset)

    def accept(self, text: str) -> bool:
        """Take the next token if it is this word or symbol."""
        found = self.at(text)
        if found:
            self.advance()
        return found

    def expect(self, text: str, *, opened_at: int | None = None) -> LexerToken:
        """Take this word or symbol.

        Raises:
            ExpressionSyntaxError: Something else comes next.
        """
        if not self.at(text):
            hint = None if opened_at is None else f"the bracket opened at position {opened_at} is not closed"
            raise self.unexpected(hint or f"{quoted(text)} is expected")
        return self.advance()

    def unexpected(self, hint: str | None = None) -> ExpressionSyntaxError:
        """Give the error of a next token that cannot stand where it stands."""
        if self.token.kind is TokenKind.END:
            return ExpressionSyntaxError("The expression is not complete.", position=self.token.start, hint=hint)
        spelling = self.source[self.token.start : self.token.end]
        return ExpressionSyntaxError(
            f"{quoted(spelling)} cannot stand here.",
            position=self.token.start,
            hint=ANSWERS.get(spelling, hint),
        )

    def nested(self, read: Callable[[], ast.expr]) -> ast.expr:
        """Read something that stands inside something else.

        Raises:
            ExpressionSyntaxError: It is nested too deeply.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionSyntaxError("The expression is nested too deeply.", position=self.token.start)
        node = read()
        self._depth -= 1
        return node

    def make(self, node: NodeType, position: int) -> NodeType:
        """Place a node in the source and count it.

        Raises:
            ExpressionSyntaxError: The expression has too many nodes, or too long a chain of them.
        """
        height = 1 + max((self._heights.get(id(child), 0) for child in ast.iter_child_nodes(node)), default=0)
        self._heights[id(node)] = height
        if len(self._heights) > MAX_NODES or height > MAX_HEIGHT:
            raise ExpressionSyntaxError(
                "The expression is too large.", position=position, hint="compute parts of it in a step of their own"
            )
        if isinstance(node, ast.expr):
            node.lineno, node.col_offset = 1, position
        return node
