"""The nodes of an expression's tree that Python's own `ast` has no word for."""

import ast


class Coalesce(ast.expr):
    """`left ?? right`: the right side when the left is null or not there."""

    _fields = ("left", "right")
    left: ast.expr
    right: ast.expr


class OptionalChain(ast.expr):
    """A chain of `.a`, `[b]` and calls with a `?.` in it; null when a `?.` stands behind null."""

    _fields = ("value",)
    value: ast.expr


class OptionalLink(ast.expr):
    """The value before a `?.`; null there ends the chain."""

    _fields = ("value",)
    value: ast.expr
