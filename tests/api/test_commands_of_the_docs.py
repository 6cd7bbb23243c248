"""Commands of the docs lead to routes there are, with methods and bodies that are none by mistake."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest
from django.urls import resolve

from devserver.folders import CHECKOUT

BLOCK = re.compile(r"^```(?:sh|bash)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADERS_ONLY = {"Idempotency-Key", "Prefer"}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every curl of the docs, as a shell would split it, with the file it stands in."""
    for path in (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))):
        for block in BLOCK.findall(path.read_text(encoding="utf-8")):
            joined = block.replace("\\\n", " ")
            for found in re.findall(r"^curl (?:'[^']*'|\"[^\"]*\"|[^'\"\n|])*", joined, re.MULTILINE):
                yield path.name, shlex.split(found)


CURLS = [(name, words) for name, words in commands() if any("$URL" in word for word in words)]


def test_there_are_commands() -> None:
    assert len(CURLS) > 12
    everywhere = [name for name, words in commands() for word in words if re.match(r"(https?://)?localhost", word)]
    assert everywhere == [], "URL says where the API is"


@pytest.mark.parametrize(("name", "words"), CURLS, ids=[f"{name}-{at}" for at, (name, _) in enumerate(CURLS)])
def test_a_command_asks_a_route_there_is(name: str, words: list[str]) -> None:
    (url,) = (word for word in words if word.startswith("$URL"))
    path = re.sub(r"[$]\w+|<\w+>", "01a20c5e-0f10-757c-bbf4-2950405a5b83", url.removeprefix("$URL").partition("?")[0])
    view = resolve(f"/api/v1{path}").func.cls  # type: ignore[attr-defined]  # a view of the REST framework
    has_data = [word for word in words if word in {"-d", "--data", "--data-binary"}]
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if has_data else "GET"
    assert hasattr(view, method.lower()), f"{name}: {method} {path}"
    for flag in has_data:
        body = words[words.index(flag) + 1]
        if not body.startswith("@"):
            assert isinstance(json.loads(body), dict), name
            assert '"..."}' not in body.replace('"sk-..."', ""), "nothing is left to be filled in unsaid"
