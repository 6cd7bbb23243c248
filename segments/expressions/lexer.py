"""Cut an expression into tokens, one at a time, so that the parser decides where it ends."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from segments.expressions.errors import ExpressionSyntaxError, quoted
from segments.expressions.hints import REFUSED_SYMBOLS


class TokenKind(Enum):
    """Kinds of tokens."""

    NUMBER = "number"
    TEXT = "text"
    TEMPLATE = "template"  # an opening quote whose fields the parser reads itself
    NAME = "name"
    WORD = "word"  # a name with a meaning in the grammar
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class LexerToken:
    """A piece of the source; `text` of a text token is its value, not its spelling."""

    kind: TokenKind
    text: str
    start: int
    end: int


WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "for"})
LONG_SYMBOLS = ("===", "!==", "**", "//", "==", "!=", "<=", ">=", "&&", "||", "??", "?.")
SYMBOLS = frozenset("+-*/%<>!()[]{},.:?=")
SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"(?:[0-9][0-9_]*)?(?:\.[0-9]+|(?<=[0-9])\.(?![0-9A-Za-z_.]))?(?:[eE][+-]?[0-9]+)?")
NAME = re.compile(r"[^\W\d]\w*")
OPENING = re.compile(r"([fFrRbBuU]{0,2})(['\"`])")
ESCAPE = re.compile(r"\\(?:([\\'\"`/$nrtbf]|0(?![0-9]))|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "0": "\0"}


def next_token(source: str, offset: int) -> LexerToken:
    """Read the token at or after an offset.

    Raises:
        ExpressionSyntaxError: What stands there is no token of the language.
    """
    space = SPACE.match(source, offset)
    start = space.end() if space else offset
    if start >= len(source):
        return LexerToken(TokenKind.END, "", start, start)
    opening = OPENING.match(source, start)
    if opening:
        return _quoted_token(source, start, opening)
    name = NAME.match(source, start)
    if name:
        return _name_token(name.group(), start, name.end())
    if source[start].isdigit() or (source[start] == "." and source[start + 1 : start + 2].isdigit()):
        return _number_token(source, start)
    return _symbol_token(source, start)


def _quoted_token(source: str, start: int, opening: re.Match[str]) -> LexerToken:
    prefix, quote = opening.group(1).lower(), opening.group(2)
    if prefix not in {"", "f"} or (prefix and quote == "`"):
        raise ExpressionSyntaxError(
            f"A text cannot start with {quoted(opening.group())}.", position=start, hint="use plain quotes"
        )
    if source.startswith(quote * 3, opening.end() - 1):
        raise ExpressionSyntaxError(
            "Triple quotes are not supported.", position=start, hint="use one pair of quotes and `\\n` for a new line"
        )
    if prefix or quote == "`":
        return LexerToken(TokenKind.TEMPLATE, quote, start, opening.end())
    value, end = read_characters(source, opening.end(), quote, ())
    if not source.startswith(quote, end):
        raise ExpressionSyntaxError("The text is not closed.", position=start, hint=f"add {quote} at its end")
    return LexerToken(TokenKind.TEXT, value, start, end + 1)


def read_characters(source: str, start: int, quote: str, stops: tuple[str, ...]) -> tuple[str, int]:
    """Read the characters of a text, undoing escapes, up to its quote or the first of the stops.

    Returns:
        The characters, and the offset where reading ended: at the quote, at a stop or at the end of the source.

    Raises:
        ExpressionSyntaxError: An escape or a character that may not stand in a text.
    """
    pieces: list[str] = []
    offset = start
    while offset < len(source) and source[offset] != quote and not source.startswith(stops, offset):
        if source[offset] == "\n" and quote != "`":
            raise ExpressionSyntaxError(
                "The text is not closed on its line.", position=offset, hint="write a new line as `\\n`"
            )
        piece, end = _escape(source, offset) if source[offset] == "\\" else (source[offset], offset + 1)
        if piece == "\0" or "\ud800" <= piece <= "\udfff":
            raise ExpressionSyntaxError("The text holds a character that JSON texts may not hold.", position=offset)
        pieces.append(piece)
        offset = end
    return "".join(pieces), offset


def _escape(source: str, offset: int) -> tuple[str, int]:
    escape = ESCAPE.match(source, offset)
    if not escape:
        raise ExpressionSyntaxError(
            "The text holds an unknown escape.", position=offset, hint="write a backslash as `\\\\`"
        )
    single, *codes = escape.groups()
    if single is not None:
        return ESCAPED.get(single, single), escape.end()
    return chr(int(codes[0] or codes[1], 16)), escape.end()


def _name_token(text: str, start: int, end: int) -> LexerToken:
    if text in WORDS:
        return LexerToken(TokenKind.WORD, text, start, end)
    if text.startswith("__"):
        raise ExpressionSyntaxError(f"The name {quoted(text)} is not allowed.", position=start)
    if unicodedata.normalize("NFKC", text) != text:
        raise ExpressionSyntaxError(
            f"The name {quoted(text)} holds look-alike characters.", position=start, hint="read the key as `x['key']`"
        )
    return LexerToken(TokenKind.NAME, text, start, end)


def _number_token(source: str, start: int) -> LexerToken:
    number = NUMBER.match(source, start)
    end = number.end() if number else start
    text = source[start:end]
    if not text or text.endswith("_") or "__" in text or NAME.match(source, end):
        raise ExpressionSyntaxError(
            "This is not a number of the language.", position=start, hint="write numbers in decimal digits"
        )
    return LexerToken(TokenKind.NUMBER, text.replace("_", ""), start, end)


def _symbol_token(source: str, start: int) -> LexerToken:
    for symbol in LONG_SYMBOLS:
        if source.startswith(symbol, start) and not _is_conditional(source, start):
            return LexerToken(TokenKind.SYMBOL, symbol, start, start + len(symbol))
    for symbol, hint in REFUSED_SYMBOLS.items():
        if source.startswith(symbol, start):
            raise ExpressionSyntaxError(f"{quoted(symbol)} is not supported.", position=start, hint=hint)
    if source[start] not in SYMBOLS:
        raise ExpressionSyntaxError(f"{quoted(source[start])} has no meaning here.", position=start)
    return LexerToken(TokenKind.SYMBOL, source[start], start, start + 1)


def _is_conditional(source: str, start: int) -> bool:
    """Tell `a ?.5 : b` from `a?.b`."""
    return source.startswith("?.", start) and source[start + 2 : start + 3].isdigit()
