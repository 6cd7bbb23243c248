"""What the product's functions may call, read out of its source: names are resolved by imports, methods by their class.

A mention counts as a call, so that callbacks and partial applications are followed too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from devserver.folders import CHECKOUT

PACKAGES = ("audit", "humantasks", "runs", "segments", "tenants", "platform/llmteam", "platform/foundation")
Function = tuple[str, str]
"""Module, and name with its class: ``("runs.services", "start_run")``."""
WRITES = frozenset(
    {"save", "create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create"}
    | {"insert_together", "remove_rows"}
)
RECORDS = frozenset({("audit.services", "record"), ("audit.services", "new_rows")})


class _Module(ast.NodeVisitor):
    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name = name
        self.imported: dict[str, Function] = {}
        self.mentions: dict[Function, set[Function]] = {}
        self.writes: set[Function] = set()
        self.bases: dict[str, list[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = (node.module, alias.name)
        for statement in tree.body:
            self._take(statement, "")

    def _take(self, statement: ast.stmt, owner: str) -> None:
        if isinstance(statement, ast.ClassDef):
            self.bases[statement.name] = [base.id for base in statement.bases if isinstance(base, ast.Name)]
            for inner in statement.body:
                self._take(inner, f"{statement.name}.")
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            key = (self.name, owner + statement.name)
            self.mentions[key] = set(self._mentioned(statement, owner))
            if any(isinstance(node, ast.Call) and _called(node) in WRITES for node in ast.walk(statement)):
                self.writes.add(key)

    def _mentioned(self, function: ast.AST, owner: str) -> Iterator[Function]:
        for node in ast.walk(function):
            if isinstance(node, ast.Name):
                yield self.imported.get(node.id, (self.name, node.id))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id in {"self", "cls"}:
                    yield self.name, owner + node.attr
                elif node.value.id in self.imported:
                    module, name = self.imported[node.value.id]
                    yield f"{module}.{name}", node.attr
                    yield module, f"{name}.{node.attr}"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@cache
def _modules() -> dict[str, _Module]:
    found = {}
    for package in PACKAGES:
        for path in (CHECKOUT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                name = _name_of(path)
                found[name] = _Module(name, ast.parse(path.read_text()))
    return found


def _name_of(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(part for part in parts if part not in {"platform", "__init__"})


def functions_of(*file_names: str) -> list[Function]:
    """Give the public functions of the modules of these names."""
    return sorted(
        function
        for name, module in _modules().items()
        if name.rpartition(".")[2] in file_names
        for function in module.mentions
        if "." not in function[1] and not function[1].startswith("_")
    )


def reachable(start: Function) -> set[Function]:
    """Give what a function may call, directly or not, itself too."""
    seen: set[Function] = set()
    left = [start]
    while left:
        function = left.pop()
        if function in seen:
            continue
        seen.add(function)
        left += _next(*function)
    return seen


def _next(module_name: str, name: str) -> Iterator[Function]:
    module = _modules().get(module_name)
    if module is None:
        return
    owner, _, method = name.rpartition(".")
    if (module_name, name) in module.mentions:
        yield from module.mentions[module_name, name]
    elif name in module.imported:
        yield module.imported[name]
    elif name in module.bases:  # a class: whatever it may do
        yield from (function for function in module.mentions if function[1].startswith(f"{name}."))
        yield from ((module_name, base) for base in module.bases[name])
    elif owner in module.bases:  # a method of a base
        for base in module.bases[owner]:
            base_module, base_name = module.imported.get(base, (module_name, base))
            yield base_module, f"{base_name}.{method}"


def writes(start: Function) -> bool:
    """Whether a function may save rows."""
    return any(function in _modules()[function[0]].writes for function in reachable(start) if function[0] in _modules())


def records(start: Function) -> bool:
    """Whether a function may leave an audit entry."""
    return not RECORDS.isdisjoint(reachable(start))
