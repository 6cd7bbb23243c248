"""Texts of others are read as they are meant: Markdown, links with their targets, changes by words; nothing runs."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humantasks.inbox.material.links import linked
from humantasks.inbox.material.markdown import MAX_CELLS, MAX_LENGTH, rendered
from humantasks.inbox.material.word_diff import MAX_CHANGES, MAX_WORDS, DiffPart, changed_places, word_diff
from humantasks.inbox.value_view import Look, show
from humantasks.services import claim_task, decide_task
from humantasks.types import TaskAnswer
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import INVOICE, a_member, a_task, as_person, client_of

REL = 'rel="noopener noreferrer nofollow"'
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](javascript:alert(1))",
    "![x](https://evil.test/pixel.png)",
    '[x](https://e.test "onmouseover=alert(1)")',
    "[x](https://e.test/\"onclick='alert(1)')",
    "<https://e.test/\"onclick='alert(1)'>",
    "|a|\n|:-:|\n|<svg onload=alert(1)>|",
    "```html\n<iframe src=//e.test></iframe>\n```",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "[x][1]\n\n[1]: vbscript:msgbox(1)",
    "<style>*{}</style><form action=//e.test><input>",
]
TAG = re.compile(r"<(?!/)([a-z0-9]+)([^>]*)>")
ATTRIBUTE = re.compile(
    r'\s(?:href="https?://[^"]*"|target="_blank"|rel="[a-z ]+"|tabindex="0"|start="\d+"|align="\w+")'
)


def foreign_markup(html: str) -> list[str]:
    """What stands in tags that no Markdown of ours may come to."""
    allowed = {"a", "p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "em", "strong", "del", "code", "pre", "blockquote"}
    allowed |= {"br", "hr", "table", "thead", "tbody", "tr", "th", "td"}
    return [name + rest for name, rest in TAG.findall(html) if name not in allowed or ATTRIBUTE.sub("", rest)]


def test_markdown_is_rendered() -> None:
    html = rendered("# Refund\n\n- *one*\n- **two**\n\n| a | b |\n|---|--:|\n| x | 1 |\n\n3. c")
    for part in (
        "<h3>Refund</h3>",
        "<em>one</em>",
        "<strong>two</strong>",
        '<td align="right">1</td>',
        '<ol start="3">',
    ):
        assert part in html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_text_and_loads_nothing(text: str) -> None:
    html = rendered(text)
    assert not foreign_markup(html)
    assert " src=" not in re.sub(r">[^<]*<", "><", html)


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from([*HOSTILE, "*", "`", "[", "](", ")", "<", ">", '"', "\n", "|", "!", "http://a"]), max_size=8
    )
)
def test_no_mixture_comes_to_markup_of_others(parts: list[str]) -> None:
    assert not foreign_markup(rendered("".join(parts)))


def test_where_a_link_leads_is_seen_and_it_tells_nothing() -> None:
    html = rendered("[your bank](https://evil.test/x) and <https://plain.test>")
    assert f'<a href="https://evil.test/x" target="_blank" {REL}>your bank (https://evil.test/x)</a>' in html
    assert f'<a href="https://plain.test" target="_blank" {REL}>https://plain.test</a>' in html


def test_a_picture_is_a_link_that_is_followed_by_the_reader_only() -> None:
    html = rendered("![the lamp](https://pictures.test/lamp.png)")
    assert f'<a href="https://pictures.test/lamp.png" target="_blank" {REL}>the lamp (https://pictures' in html
    assert "<img" not in html


@pytest.mark.parametrize("text", ["*a* " * MAX_LENGTH, "|a" * 300 + "\n" + "|-" * 300 + "\n" + "|\n" * MAX_CELLS])
def test_what_is_too_large_to_render_is_shown_whole_as_text(text: str) -> None:
    assert rendered(text) == f"<p>{text}</p>"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://a.test/x?y=1&z=2.", ["https://a.test/x?y=1&z=2"]),
        ("(http://a.test/b(c)) and HTTPS://B.test", ["http://a.test/b(c)", "HTTPS://B.test"]),
        ("javascript:alert(1) ftp://a.test //a.test a.test mailto:a@b", []),
        ("https:// http://", []),
        ("https://a.test/\u202egnp.exe", ["https://a.test/"]),
        ('https://a.test/"onclick="alert(1)', ["https://a.test/"]),
    ],
)
def test_web_addresses_are_links_and_nothing_else_is(text: str, addresses: list[str]) -> None:
    html = linked(text)
    assert [unescape(found) for found in re.findall(r'<a href="([^"]*)" rel', html)] == addresses
    assert unescape(re.sub(r"<[^>]+>", "", html)) == text


def test_words_that_went_and_came_are_told_apart() -> None:
    parts = word_diff("Pay 100 EUR today", "Pay 90 EUR today")
    assert parts == (
        DiffPart("same", "Pay "),
        DiffPart("gone", "100"),
        DiffPart("new", "90"),
        DiffPart("same", " EUR today"),
    )


def test_every_changed_place_is_named_as_the_form_names_it() -> None:
    schema = {"properties": {"amt": {"title": "Amount"}, "lines": {"items": {"properties": {"n": {"title": "Count"}}}}}}
    before = {"amt": 1, "same": True, "lines": [{"n": 1}], "gone": "x"}
    after = {"amt": 2, "same": True, "lines": [{"n": 1}, {"n": 5}], "new": None}
    found = changed_places(before, after, schema)
    assert [change.label for change in found] == ["Amount", "Lines / 2", "Gone", "New"]
    assert found[0].parts == (DiffPart("gone", "1"), DiffPart("new", "2"))


def test_a_difference_of_any_size_is_bounded() -> None:
    assert len(word_diff("a " * MAX_WORDS, "b " * MAX_WORDS)) == 2
    assert len(changed_places(list(range(1000)), [])) == MAX_CHANGES


def test_a_text_is_markdown_where_the_form_says_so() -> None:
    schema = {"properties": {"letter": {"type": "string", "contentMediaType": "text/markdown"}}}
    looks = [member.node.look for member in show({"letter": "*a*", "other": "*a*"}, schema).members]
    assert looks == [Look.MARKDOWN, Look.TEXT]


def test_a_page_shows_them_beside_who_has_the_task_and_who_is_in_the_group(
    acme: Customer, ann: Membership, bob: Membership
) -> None:
    a_member(acme.tenant, "vic", groups=["other"])
    task = a_task(
        acme.tenant,
        "review",
        candidate_groups=["finance"],
        description="**Look** at it",
        data={"u": "https://u.test/1"},
    )
    claim_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id)
    answer = client_of(ann).get(f"/inbox/tasks/{task.id}/")
    assert "<strong>Look</strong> at it" in answer.text
    assert f'<a href="https://u.test/1" {REL}' in answer.text
    shown = answer.context["page"]
    assert [(group.name, list(group.members)) for group in shown.asked_groups] == [("finance", ["Ann", "Bob"])]
    assert shown.held_since is not None
    assert "Since <time" in answer.text


def test_what_somebody_changed_is_shown_word_by_word(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, "review")
    changed = {**INVOICE, "note": "Broken on <b>departure</b>.\nThe customer sent pictures."}
    answer = TaskAnswer("modified", data=changed)
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=answer)
    html = client_of(ann).get(f"/inbox/tasks/{task.id}/").text
    assert "<del>arrival</del>" in html
    assert "&lt;" in "".join(re.findall(r"<ins>(.*?)</ins>", html))
    assert "<ins>departure" not in html or "<b>departure" not in html
