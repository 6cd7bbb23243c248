"""Walk an expression's tree: simpleeval's evaluator with its tables replaced and its work charged."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, cast

from simpleeval import EvalWithCompoundTypes

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed, MissingName, quoted, uncalled
from segments.expressions.functions import FUNCTIONS
from segments.expressions.hints import ELSEWHERE, date_hint, nearest
from segments.expressions.limits import (
    CALL_UNITS,
    DISPLAY_TICKS,
    FORMAT_TICKS,
    LEAF_TICKS,
    MAX_LIST,
    NODE_TICKS,
    ROUND_TICKS,
    Fuel,
    too_many_values,
)
from segments.expressions.methods import METHODS, cut
from segments.expressions.nodes import Coalesce, OptionalChain, OptionalLink
from segments.expressions.operators import COMPARISONS, OF_INTEGERS, OF_NUMBERS, OPERATORS, PREFIXES, key_of
from segments.expressions.values import (
    NUMBERS,
    MadeList,
    MadeObject,
    distinct,
    finite,
    kind_of,
    named,
    need_integer,
    text_of,
)

TEXT_FORMAT = re.compile(r"[<>^]?(?:[1-9][0-9]{0,2})?")


class Names(Protocol):
    """Values of an expression's names; a value may be computed when it is first read."""

    def __contains__(self, name: object, /) -> bool:
        """Tell whether a name is known."""

    def __getitem__(self, name: str, /) -> Json:
        """Give the value of a known name."""

    def __iter__(self) -> Iterator[str]:
        """List the known names, for suggestions."""


class ChainEnded(Exception):
    """A `?.` stands behind null: the whole chain is null."""


class Evaluator(EvalWithCompoundTypes):  # type: ignore[misc] # simpleeval ships no types
    """One evaluation of one expression.

    Of simpleeval it keeps the walk and the rules of `and`, `or` and `if`. Its constructor is not called: that
    would build tables with simpleeval's own functions and operators for every evaluation, while these are fixed.
    """

    def __init__(self, names: Names, fuel: Fuel) -> None:
        """Start with the names and the fuel of this evaluation."""
        self.names = names
        self.fuel = fuel
        self.local: dict[str, Json] = {}

    def __del__(self) -> None:
        """Leave the tables alone: they are shared."""

    def evaluate(self, tree: ast.expr) -> Json:
        """Give the value of a tree, which may share parts with the names' values.

        Raises:
            ExpressionFailed: It has none.
        """
        try:
            return cast("Json", self._eval(tree))
        except MissingName as error:
            if error.hint is None and error.wanted is not None:
                error.hint = ELSEWHERE.get(error.wanted) or nearest(error.wanted, error.candidates)
            raise

    def _eval(self, node: Any) -> Any:
        fuel, kind = self.fuel, type(node)
        if kind is ast.Constant:
            fuel.left -= LEAF_TICKS
            return node.value
        if kind is ast.Name and node.id in self.local:
            fuel.left -= 2 * LEAF_TICKS
            return self.local[node.id]
        fuel.left -= NODE_TICKS
        if fuel.left < 0:
            raise fuel.exhausted()
        try:
            return self.nodes[kind](self, node)
        except ExpressionFailed as error:
            if error.position is None:
                error.position = node.col_offset
            raise

    def _eval_name(self, node: ast.Name) -> Json:
        name = node.id
        if name in self.names:
            return self.names[name]
        if name in FUNCTIONS:
            argument = "x" if FUNCTIONS[name].least else ""
            raise ExpressionFailed(f"{quoted(name)} is a function.", hint=f"call it: `{name}({argument})`")
        candidates = (*self.local, *self.names)
        raise MissingName(f"The name {quoted(name)} is not known here.", wanted=name, candidates=candidates)

    def _eval_attribute(self, node: ast.Attribute) -> Json:
        value = node.value
        is_local = type(value) is ast.Name and value.id in self.local
        base: Any = self.local[cast("ast.Name", value).id] if is_local else self._eval(value)
        if type(base) is dict and node.attr in base:
            return cast("Json", base[node.attr])
        kind = kind_of(base)
        if kind == "object":
            if node.attr in base:
                return cast("Json", base[node.attr])
        elif node.attr == "length" and kind in {"text", "list"}:
            return len(base)
        if isinstance(node.value, OptionalLink) and kind == "object":
            return None
        if node.attr in METHODS.get(kind, ()):
            raise uncalled(kind, node.attr)
        raise _no_key(kind, node.attr, base)

    def _eval_subscript(self, node: ast.Subscript) -> Json:
        self.fuel.left -= 2 * LEAF_TICKS
        base = self._eval(node.value)
        if isinstance(node.slice, ast.Slice):
            part = cut(self.fuel, base, self._bounds(node.slice))
            return MadeList(part) if isinstance(part, list) else part
        key = self._eval(node.slice)
        if kind_of(base) == "object":
            return _member(node, base, key)
        if not isinstance(base, str | list):
            raise ExpressionFailed(f"{named(base).capitalize()} has no keys.")
        index = need_integer(key, f"The place in {named(base)}")
        if not -len(base) <= index < len(base):
            raise MissingName(f"The {kind_of(base)} has no value at this place.", is_absent=True)
        return cast("Json", base[index])

    def _bounds(self, node: ast.Slice) -> slice:
        values = [None if part is None else self._eval(part) for part in (node.lower, node.upper, node.step)]
        numbers = [None if value is None else need_integer(value, "A slice") for value in values]
        if numbers[2] == 0:
            raise ExpressionFailed("The step of a slice is zero.")
        return slice(*numbers)

    def _eval_call(self, node: ast.Call) -> Any:
        self.fuel.spend(CALL_UNITS)
        function = node.func
        if isinstance(function, ast.Attribute):
            base = self._eval(function.value)
            call = _method(base, function.attr, len(node.args), node.keywords).call
            result = call(self.fuel, base, *[self._eval(argument) for argument in node.args])
        else:
            arguments = [self._eval(argument) for argument in node.args]
            named = {keyword.arg or "": self._eval(keyword.value) for keyword in node.keywords}
            result = FUNCTIONS[cast("ast.Name", function).id].call(self.fuel, *arguments, **named)
        return MadeList(result) if type(result) is list else result

    def _eval_unaryop(self, node: ast.UnaryOp) -> Json:
        return PREFIXES[type(node.op)](self._eval(node.operand))

    def _eval_binop(self, node: ast.BinOp) -> Json:
        left, right, operation = self._eval(node.left), self._eval(node.right), type(node.op)
        if type(left) is int and type(right) is int and operation in OF_INTEGERS:
            self.fuel.left -= 3 * LEAF_TICKS
            return finite(OF_INTEGERS[operation](left, right))
        return OPERATORS[operation](self.fuel, left, right)

    def _eval_compare(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        if len(node.ops) == 1:
            operation, right = type(node.ops[0]), self._eval(node.comparators[0])
            if type(left) in NUMBERS and type(right) in NUMBERS and operation in OF_NUMBERS:
                return OF_NUMBERS[operation](left, right)
            return COMPARISONS[operation](self.fuel, left, right)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            if not COMPARISONS[type(operator)](self.fuel, left, right):
                return False
            left = right
        return True

    def _eval_coalesce(self, node: Coalesce) -> Json:
        try:
            left = self._eval(node.left)
        except MissingName:
            self.fuel.spend(9)
            left = None
        return cast("Json", self._eval(node.right) if left is None else left)

    def _eval_optional_chain(self, node: OptionalChain) -> Json:
        try:
            return cast("Json", self._eval(node.value))
        except ChainEnded:
            self.fuel.spend(5)
            return None

    def _eval_optional_link(self, node: OptionalLink) -> Json:
        try:
            value = self._eval(node.value)
        except MissingName as error:
            if not error.is_absent or error.position != node.value.col_offset:
                raise
            raise ChainEnded from None
        if value is None:
            raise ChainEnded
        return cast("Json", value)

    def _eval_joinedstr(self, node: ast.JoinedStr) -> str:
        texts: list[str] = [
            cast("Any", part).value if type(part) is ast.Constant else self._eval(part) for part in node.values
        ]
        self.fuel.make_text(sum(map(len, texts)))
        return "".join(texts)

    def _eval_formattedvalue(self, node: ast.FormattedValue) -> str:
        value = self._eval(node.value)
        self.fuel.left -= FORMAT_TICKS
        if node.format_spec is None:
            return text_of(self.fuel, value)
        spec = cast("str", cast("ast.Constant", node.format_spec).value)
        if kind_of(value) == "number":
            if spec.endswith("d") and type(value) is not int:
                raise ExpressionFailed(f"The format {quoted(spec)} needs a whole number.")
            self.fuel.spend(1)
            return format(finite(value), spec)
        if not TEXT_FORMAT.fullmatch(spec):
            raise ExpressionFailed(f"The format {quoted(spec)} does not fit {named(value)}.")
        text = text_of(self.fuel, value)
        self.fuel.make_text(len(text) + int(spec.lstrip("<>^") or 0))
        return format(text, spec)

    def _eval_list(self, node: ast.List) -> MadeList:
        made = MadeList()
        for element in node.elts:
            if isinstance(element, ast.Starred):
                more = self._eval(element.value)
                if not isinstance(more, list):
                    raise ExpressionFailed(f"`*` needs a list, not {named(more)}.")
                self.fuel.make_list(len(made) + len(more))
                self.fuel.left -= DISPLAY_TICKS
                made.extend(more)
            else:
                made.append(self._eval(element))
        return made

    def _eval_set(self, node: ast.Set) -> list[Json]:
        return distinct(self.fuel, [self._eval(element) for element in node.elts])

    def _eval_dict(self, node: ast.Dict) -> MadeObject:
        self.fuel.left -= DISPLAY_TICKS
        made = MadeObject()
        for key, value in zip(node.keys, node.values, strict=True):
            if type(key) is ast.Constant and type(key.value) is str:
                made[key.value] = self._eval(value)
            elif key is None:
                more = self._eval(value)
                if type(more) is not dict and kind_of(more) != "object":
                    raise ExpressionFailed(f"`**` needs an object, not {named(more)}.")
                self.fuel.make_list(len(made) + len(more))
                self.fuel.left -= DISPLAY_TICKS + LEAF_TICKS
                made.update(more)
            else:
                made[key_of(self._eval(key))] = self._eval(value)
        return made

    def _eval_comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> MadeList:
        made = MadeList()
        for _ in self._rounds(node.generators):
            made.append(self._eval(node.elt))
            if len(made) > MAX_LIST:
                raise too_many_values()
        return made

    def _eval_dict_comprehension(self, node: ast.DictComp) -> MadeObject:
        made = MadeObject()
        for _ in self._rounds(node.generators):
            made[key_of(self._eval(node.key))] = self._eval(node.value)
            if len(made) > MAX_LIST:
                raise too_many_values()
        return made

    def _rounds(self, generators: list[ast.comprehension]) -> Iterator[None]:
        """Set the names of a comprehension's rounds, one after the other, and only meanwhile."""
        outer = self.local
        self.local = dict(outer)
        try:
            yield from self._go_through(generators, 0)
        finally:
            self.local = outer

    def _go_through(self, generators: list[ast.comprehension], depth: int) -> Iterator[None]:
        generator = generators[depth]
        target, conditions, is_last = generator.target, generator.ifs, depth + 1 == len(generators)
        fuel, local = self.fuel, self.local
        name = target.id if type(target) is ast.Name else None
        for value in self._iterated(generator.iter):
            fuel.left -= ROUND_TICKS + depth
            if fuel.left < 0:
                raise fuel.exhausted()
            if name is not None:
                local[name] = value
            else:
                self._assign(target, value)
            for condition in conditions:
                if not self._eval(condition):
                    break
            else:
                if is_last:
                    yield
                else:
                    yield from self._go_through(generators, depth + 1)

    def _iterated(self, node: ast.expr) -> list[Json] | str | Mapping[str, Json]:
        value = self._eval(node)
        if kind_of(value) not in {"list", "text", "object"}:
            raise ExpressionFailed(
                f"{named(value).capitalize()} has no values to go through.", position=node.col_offset
            )
        return cast("list[Json]", value)

    def _assign(self, target: ast.expr, value: Json) -> None:
        if isinstance(target, ast.Name):
            self.local[target.id] = value
            return
        names = cast("ast.Tuple", target).elts
        if not isinstance(value, list) or len(value) != len(names):
            raise ExpressionFailed(f"A round needs a list of {len(names)} values.", position=target.col_offset)
        for name, one in zip(names, value, strict=True):
            self._assign(name, one)

    nodes: ClassVar[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {
        ast.Name: _eval_name,
        ast.Attribute: _eval_attribute,
        ast.Subscript: _eval_subscript,
        ast.Call: _eval_call,
        ast.UnaryOp: _eval_unaryop,
        ast.BinOp: _eval_binop,
        ast.BoolOp: EvalWithCompoundTypes._eval_boolop,  # noqa: SLF001 its rule is the one we want
        ast.Compare: _eval_compare,
        ast.IfExp: EvalWithCompoundTypes._eval_ifexp,  # noqa: SLF001 its rule is the one we want
        ast.JoinedStr: _eval_joinedstr,
        ast.FormattedValue: _eval_formattedvalue,
        ast.List: _eval_list,
        ast.Tuple: _eval_list,
        ast.Set: _eval_set,
        ast.Dict: _eval_dict,
        ast.ListComp: _eval_comprehension,
        ast.GeneratorExp: _eval_comprehension,
        ast.DictComp: _eval_dict_comprehension,
        Coalesce: _eval_coalesce,
        OptionalChain: _eval_optional_chain,
        OptionalLink: _eval_optional_link,
    }


def _member(node: ast.Subscript, base: Any, key: Json) -> Json:
    """Give what an object has under a key; null behind `?.` where it has none."""
    if not isinstance(key, str):
        raise ExpressionFailed(f"The keys of an object are texts, not {named(key)}.")
    if key in base:
        return cast("Json", base[key])
    if isinstance(node.value, OptionalLink):
        return None
    raise _no_key("object", key if isinstance(node.slice, ast.Constant) else None, base)


def _no_key(kind: str, key: str | None, base: Any) -> ExpressionFailed:
    if kind != "object":
        hint = date_hint(kind, key) or ELSEWHERE.get(key or "") or nearest(key or "", METHODS.get(kind, ()))
        return MissingName(f"{named(base).capitalize()} has no {quoted(key or '')}.", wanted=None, hint=hint)
    missing = "such key" if key is None else f"key {quoted(key)}"
    return MissingName(f"The object has no {missing}.", wanted=key, candidates=base, is_absent=True)


def _method(base: Json, name: str, count: int, keywords: list[ast.keyword]) -> Any:
    kind = kind_of(base)
    signature = METHODS.get(kind, {}).get(name)
    if signature is None:
        hint = date_hint(kind, name) or ELSEWHERE.get(name) or nearest(name, METHODS.get(kind, ()))
        raise ExpressionFailed(f"{named(base).capitalize()} has no method {quoted(name)}.", hint=hint)
    complaint = signature.complaint(count, [keyword.arg or "" for keyword in keywords])
    if complaint:
        raise ExpressionFailed(f"{quoted(name)} {complaint}")
    return signature
