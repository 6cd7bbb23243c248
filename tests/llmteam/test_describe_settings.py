"""docs/reference/settings.md has every variable that settings.py reads, with its default and its bounds."""

import ast
import re
from typing import Any

from devserver.folders import CHECKOUT

PAGE = (CHECKOUT / "docs/reference/settings.md").read_text()
SETTINGS = (CHECKOUT / "platform/llmteam/settings.py").read_text()
NONE = "none"

Row = tuple[str, str, str]
"""Default, least and most, as the page writes them."""


def described() -> dict[str, Row]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.*?)\| (.*?)\| .+\.( \|| .+\|)$", PAGE, re.MULTILINE)
    return {name: (default.strip(), least.strip(), most.strip()) for name, default, least, most, _ in rows}


def read() -> dict[str, Row]:
    """What the code says; a default that is reckoned is empty here."""
    found: dict[str, Row] = {}
    for node in ast.walk(ast.parse(SETTINGS)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="environment")), args=[ast.Constant(value=str(name)), *_]
            ):
                keywords = {keyword.arg: keyword.value for keyword in node.keywords}
                default = node.args[1] if len(node.args) > 1 else keywords.get("default", ast.Constant(""))
                bounds = (_shown(keywords.get(bound, ast.Constant(""))) for bound in ("least", "most"))
                found[name] = (_shown(default, of_default=True), *bounds)
    return found


def _shown(value: ast.expr, *, of_default: bool = False) -> str:
    try:
        constant: Any = ast.literal_eval(value)
    except ValueError:
        return ""
    if constant == "":
        return NONE if of_default else ""
    return f"`{int(constant) if isinstance(constant, bool) else constant}`"


def test_every_variable_has_a_row_and_no_row_is_of_nothing() -> None:
    assert len(read()) > 70
    assert described().keys() == read().keys()


def test_defaults_and_bounds_are_those_of_the_code() -> None:
    told = described()
    for name, (default, least, most) in read().items():
        assert told[name][1:] == (least, most), name
        if default not in {"", NONE}:
            assert told[name][0] == default, name


def test_a_default_that_is_reckoned_is_told_in_words() -> None:
    told = described()
    reckoned = [name for name, (default, *_) in read().items() if not default]
    assert reckoned
    assert all(" " in told[name][0] for name in reckoned)
