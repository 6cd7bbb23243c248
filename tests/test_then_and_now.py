"""The table of the earlier library's names leads to places that are there."""

import re
from pathlib import Path

from django.urls import get_resolver

PAGE = Path(__file__).resolve().parents[1] / "docs" / "then-and-now.md"


def routes() -> set[str]:
    found: set[str] = set()
    todo = [("/", get_resolver())]
    while todo:
        prefix, resolver = todo.pop()
        for one in resolver.url_patterns:
            address = prefix + re.sub(r"<\w+:(\w+)>", r"{\1}", str(one.pattern))
            if hasattr(one, "url_patterns"):
                todo.append((address, one))
            else:
                found.add(address)
    return found


def test_every_address_of_the_table_is_a_route() -> None:
    known = routes()
    named = re.findall(r"(?:GET|PUT|POST) (/[\w/{}-]+)", PAGE.read_text())
    assert len(named) >= 12
    assert [address for address in named if address not in known] == []


def test_every_page_of_the_table_is_there() -> None:
    pages = re.findall(r"\]\(([^)#]+)", PAGE.read_text())
    assert len(pages) > 15
    assert [page for page in pages if not (PAGE.parent / page).exists()] == []
