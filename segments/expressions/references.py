"""References of an expression: the names and steps it reads from outside."""

import ast
from dataclasses import dataclass, field

from segments.expressions.nodes import Coalesce, OptionalLink

STEPS = "steps"
RESUME_URL = "resume_url"
MAX_ALTERNATIVES = 100


@dataclass(slots=True)
class References:
    """Names and steps an expression reads; see `Expression` for the meaning of the parts."""

    names: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    needed_steps: frozenset[str] = frozenset()
    needed_alternatives: frozenset[frozenset[str]] = frozenset()
    called_steps: frozenset[str] = frozenset()
    dynamic_steps: bool = False


@dataclass(slots=True)
class _Search:
    """One walk through a tree, and what it has found."""

    names: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)
    needed: set[frozenset[str]] = field(default_factory=set)
    """Of the steps in each, one has to have run."""
    called_steps: set[str] = field(default_factory=set)
    dynamic_steps: bool = False

    def visit(self, node: ast.AST, bound: frozenset[str]) -> None:
        """Look at a node below the names that comprehensions around it have set."""
        if isinstance(node, ast.Name):
            self._name(node, bound)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp):
            self._comprehension(node, bound)
        elif (called := _called_step_of(node)) is not None and STEPS not in bound:
            self.names.add(STEPS)
            self.called_steps.add(called)
            self._all(list(node.args[2:]) if isinstance(node, ast.Call) else [], bound)
        elif (step := _step_of(node)) is not None and STEPS not in bound:
            self._step(node, step, bound)
        elif isinstance(node, Coalesce):
            self._coalesce(node, bound)
        elif isinstance(node, ast.IfExp):
            self._conditional(node, bound)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self._all([*node.args, *node.keywords], bound)
        else:
            self._all(list(ast.iter_child_nodes(node)), bound)

    def _all(self, nodes: list[ast.AST], bound: frozenset[str]) -> None:
        for node in nodes:
            self.visit(node, bound)

    def _step(self, node: ast.AST, step: str, bound: frozenset[str]) -> None:
        """Note a step; `get(steps, ...)`, `steps?.a` and `steps.a?.b` can do without it."""
        self.names.add(STEPS)
        self.steps.add(step)
        if isinstance(node, ast.Call):
            self._all(list(node.args[2:]), bound)
        elif not isinstance(node, OptionalLink) and not isinstance(getattr(node, "value", None), OptionalLink):
            self.needed.add(frozenset((step,)))

    def _coalesce(self, node: Coalesce, bound: frozenset[str]) -> None:
        """Look at `left ?? right`: either side is enough, so what one names may be missing where the other is there."""
        before, read = self.needed, set(self.steps)
        self.needed, self.steps = set(), set()
        self.visit(node.left, bound)
        beside = self.steps.difference(*self.needed)
        left = self.needed | {frozenset((step,)) for step in beside} or {frozenset()}
        self.needed, self.steps = set(), self.steps | read
        self.visit(node.right, bound)
        either = {one | other for one in left for other in self.needed}
        self.needed = before | (either if len(either) <= MAX_ALTERNATIVES else set())

    def _conditional(self, node: ast.IfExp, bound: frozenset[str]) -> None:
        """Look at `body if test else orelse`: `'a' in steps` asks whether a step has run."""
        self.visit(node.test, bound)
        for branch, operator in ((node.body, ast.In), (node.orelse, ast.NotIn)):
            asked = _steps_asked_for(node.test, operator)
            before, self.needed = self.needed, set()
            self.visit(branch, bound)
            self.needed = before | {one for one in self.needed if one.isdisjoint(asked)}

    def _name(self, node: ast.Name, bound: frozenset[str]) -> None:
        if node.id not in bound:
            self.names.add(node.id)
            self.dynamic_steps = self.dynamic_steps or node.id == STEPS

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp, bound: frozenset[str]) -> None:
        for generator in node.generators:
            self.visit(generator.iter, bound)
            targets = ast.walk(generator.target)
            bound = bound | {target.id for target in targets if isinstance(target, ast.Name)}
            self._all(list(generator.ifs), bound)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._all(list(elements), bound)


def references_of(tree: ast.expr) -> References:
    """Collect the names and the steps a tree reads."""
    search = _Search()
    search.visit(tree, frozenset())
    return References(
        frozenset(search.names),
        frozenset(search.steps),
        frozenset(step for one in search.needed if len(one) == 1 for step in one),
        frozenset(one for one in search.needed if len(one) > 1),
        frozenset(search.called_steps),
        search.dynamic_steps,
    )


def _called_step_of(node: ast.AST) -> str | None:
    """Name the step of `steps.id.resume_url`, however the last part is written."""
    if isinstance(node, ast.Attribute):
        name: str | None = node.attr
    elif isinstance(node, ast.Subscript):
        name = _constant_text(node.slice)
    else:
        step_id, _, name = _path_of(node).partition(".")
        return step_id if name == RESUME_URL else None
    inner = node.value.value if isinstance(node.value, OptionalLink) else node.value
    return _step_of(inner) if name == RESUME_URL else None


def _step_of(node: ast.AST) -> str | None:
    """Name the step read by `steps.id`, `steps["id"]` or `get(steps, "id...")`, or what stands so before a `?.`."""
    if isinstance(node, OptionalLink):
        return _step_of(node.value)
    if isinstance(node, ast.Attribute) and _is_steps(node.value):
        return node.attr
    if isinstance(node, ast.Subscript) and _is_steps(node.value):
        return _constant_text(node.slice)
    return _path_of(node).split(".")[0] or None


def _path_of(node: ast.AST) -> str:
    """Give the path that `get(steps, "path", ...)` follows; empty for anything else."""
    is_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get"
    if is_get and isinstance(node, ast.Call) and len(node.args) > 1 and _is_steps(node.args[0]):
        return _constant_text(node.args[1]) or ""
    return ""


def _steps_asked_for(test: ast.expr, operator: type[ast.cmpop]) -> frozenset[str]:
    """Give the steps that have run where a test of `'a' in steps`, or with `NotIn` the contrary of it, decides."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) and operator is ast.In:
        return frozenset().union(*(_steps_asked_for(part, operator) for part in test.values))
    is_asking = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], operator)
    if not isinstance(test, ast.Compare) or not is_asking or not _is_steps(test.comparators[0]):
        return frozenset()
    name = _constant_text(test.left)
    return frozenset() if name is None else frozenset((name,))


def _is_steps(node: ast.expr) -> bool:
    inner = node.value if isinstance(node, OptionalLink) else node
    return isinstance(inner, ast.Name) and inner.id == STEPS


def _constant_text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
