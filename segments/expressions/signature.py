"""Signatures of the language's functions and methods."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.types import Json


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the language with the arguments it takes.

    Attributes:
        call: Takes the fuel, then the arguments.
        least: Arguments it needs.
        most: Arguments it takes by place; None for any number.
        keywords: Arguments it takes by name.
    """

    call: Callable[..., Json]
    least: int
    most: int | None
    keywords: frozenset[str]

    def complaint(self, count: int, keywords: Sequence[str]) -> str | None:
        """Say what is wrong with a call, or None.

        Args:
            count: Arguments given by place.
            keywords: Names of the arguments given by name.
        """
        if not keywords and self.least <= count and (self.most is None or count <= self.most):
            return None
        for keyword in keywords:
            if keyword not in self.keywords:
                return f"takes no argument named `{keyword}`."
        if len(set(keywords)) < len(keywords):
            return "gets an argument twice."
        if count < self.least:
            return f"needs at least {self.least} argument{'s'[: self.least != 1]}."
        if self.most is not None and count > self.most:
            return f"takes at most {self.most} argument{'s'[: self.most != 1]}."
        return None


def signature_of(call: Callable[..., Json], *, leading: int) -> Signature:
    """Read a signature off a Python function.

    Args:
        call: The function; what it takes by keyword only is taken by name only.
        leading: Parameters that are not arguments of the call: the fuel, and a method's own value.
    """
    parameters = list(inspect.signature(call).parameters.values())[leading:]
    placed = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    is_open = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return Signature(
        call=call,
        least=sum(p.default is p.empty for p in placed),
        most=None if is_open else len(placed),
        keywords=frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
    )
