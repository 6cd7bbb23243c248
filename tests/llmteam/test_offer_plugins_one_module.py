"""Packages of others import one module of ours: what the how-tos and the example show of it is there."""

import ast
import re
from pathlib import Path

import pytest

from llmteam import plugin

ROOT = Path(__file__).parents[2]
PAGES = ("step-types", "middleware", "providers")
SOURCES = {
    **{path.stem: path.read_text() for path in (ROOT / "examples" / "greeting_step").glob("*.py")},
    **{
        f"{page}-{number}": block
        for page in PAGES
        for number, block in enumerate(
            re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "howto" / f"{page}.md").read_text(), re.DOTALL)
        )
        if "llmteam.plugin" in block
        or re.search(r"^(?:from|import) (?:kernel|tenants|segments|runs|humantasks|audit)", block, re.MULTILINE)
    },
}
OURS = {"kernel", "foundation", "tenants", "segments", "runs", "humantasks", "audit", "llmteam"}


@pytest.mark.parametrize("name", SOURCES)
def test_an_example_imports_nothing_of_ours_but_the_public_names(name: str) -> None:
    nodes = [node for node in ast.walk(ast.parse(SOURCES[name])) if isinstance(node, ast.Import | ast.ImportFrom)]
    from_ours = [node for node in nodes if _module(node).split(".")[0] in OURS]
    assert from_ours, "it shows nothing of ours"
    for node in from_ours:
        assert _module(node) == "llmteam.plugin"
        assert {alias.name for alias in node.names} <= set(plugin.__all__)


def _module(node: ast.Import | ast.ImportFrom) -> str:
    return node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
