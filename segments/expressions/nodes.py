"""The nodes of an expression's tree that Python's own `ast` has no word for."""

import ast


class Coalesce(ast.expr):
    """`left ?? right`: the right side when the left is null or not there."""

    _fields = ("left", "right")

    def __init__(self, left: ast.expr, right: ast.expr) -> None:
        """Keep both sides."""
        super().__init__()
        self.left = left
        self.right = right


class OptionalChain(ast.expr):
    """A chain of `.a`, `[b]` and calls with a `?.` in it; null when a `?.` stands behind null."""

    _fields = ("value",)

    def __init__(self, value: ast.expr) -> None:
        """Keep the value."""
        super().__init__()
        self.value = value


class OptionalLink(ast.expr):
    """The value before a `?.`; null there, or a key or place that is not there, ends the chain."""

    _fields = ("value",)

    def __init__(self, value: ast.expr) -> None:
        """Keep the value."""
        super().__init__()
        self.value = value
