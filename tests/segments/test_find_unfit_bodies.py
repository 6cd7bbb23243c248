"""Headers and bodies that cannot be sent are told when their segment is judged."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import Customer
from tests.support.stand_in_catalog import document, judged

Api = Callable[[Customer], APIClient]
CALL = {"url": "https://shop.example/orders", "method": "POST", "honours_idempotency_key": True}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PARTS = {"Content-Type": "multipart/form-data"}
JSON = {"Content-Type": "application/json"}
LATIN = {"Content-Type": "text/csv; charset=iso-8859-1"}


def found_in(**config: Any) -> list[tuple[str, str]]:
    return judged(document({"a:http_action": {**CALL, **config}}))


def test_what_the_platform_sends_itself_is_told_at_its_place(acme: Customer, api: Api) -> None:
    def findings(name: str) -> list[dict[str, Any]]:
        segment = document({"a:http_action": {**CALL, "headers": {"X-Team": "a", name: "b"}}})
        answer = api(acme).post("/api/v1/segments/validate", segment).json()
        assert answer["valid"]
        found: list[dict[str, Any]] = answer["findings"]
        return found

    assert findings("X-Other") == []
    (found,) = findings("Host")
    assert (found["code"], found["severity"]) == ("HEADER_REFUSED", "warning")
    assert found["pointer"] == "/steps/0/config/headers/Host"
    assert "Host is set by the platform" in found["message"]


@pytest.mark.parametrize(
    ("name", "text", "is_told"),
    [
        ("Content-Length", "5", True),
        ("transfer-encoding", "chunked", True),
        ("Connection", "{{ input.how }}", True),
        ("Expect", "100-continue", True),
        ("Accept-Encoding", "gzip", True),
        ("X Team", "a", True),
        ("", "a", True),
        ("X-Team", "Zoë", True),
        ("X-Team", "a\nb", True),
        ("X-Team", "{{ input.team }}ë", False),
        ("X-Team", "a, b; c", False),
        ("X-Team", "", False),
        ("Host", None, False),
        ("Content-Type", "application/json", False),
        ("Authorization", "Bearer abc", False),
    ],
)
def test_a_header_that_is_refused_is_told(name: str, text: str | None, is_told: bool) -> None:
    told = [("HEADER_REFUSED", f"/steps/0/config/headers/{name}")] if is_told else []
    assert found_in(headers={name: text}) == told


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("Zoë", "U+00EB, character 3"),
        ("a\nb", "U+000A, character 2"),
        (" a", "begins or ends with a blank"),
        ("a ", "begins or ends with a blank"),
    ],
)
def test_what_of_a_header_cannot_be_sent_is_told_by_its_place(acme: Customer, api: Api, text: str, flaw: str) -> None:
    segment = document({"a:http_action": {**CALL, "headers": {"X-Team": text}}})
    (found,) = api(acme).post("/api/v1/segments/validate", segment).json()["findings"]
    assert flaw in found["message"]


def test_a_header_that_is_written_twice_is_told(acme: Customer, api: Api) -> None:
    assert found_in(headers={"X-A": "1", "X-B": "2"}) == []
    assert found_in(headers={"X-A": "1", "x-a": "2"}) == [("HEADER_TWICE", "/steps/0/config/headers/x-a")]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (FORM, {"a": 1}, None),
        (FORM, "a=1", None),
        (FORM, "{{ input.fields }}", None),
        (FORM, [1], "BODY_REFUSED"),
        ({"content-type": FORM["Content-Type"]}, [["a", "{{ input.a }}"]], "BODY_REFUSED"),
        (PARTS, {"a": "{{ input.a }}"}, None),
        (PARTS, "{{ input.parts }}", None),
        (PARTS, "a=1", "BODY_REFUSED"),
        (PARTS, "a={{ input.a }}", "BODY_REFUSED"),
        (PARTS, [1], "BODY_REFUSED"),
        (PARTS, {"f": {"filename": "a", "content": "%", "encoding": "base64"}}, "BODY_REFUSED"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "--x--", None),
        ({"Content-Type": "multipart/mixed; boundary=x"}, {"a": 1}, "BODY_REFUSED"),
        ({"Content-Type": "{{ input.kind }}"}, [1], None),
        (LATIN, "Zoë", None),
        (LATIN, "5 €", "BODY_REFUSED"),
        ({"Content-Type": "application/json; charset=iso-8859-1"}, {"a": "5 €"}, None),
        ({"Content-Type": "text/csv; charset=unheard-of"}, "a", "BODY_ODD"),
        (JSON, {"a": 1}, None),
        (JSON, '{"a": 1}', None),
        (JSON, '{"a": 1}\n{"a": 2}\n', None),
        (JSON, '{"a": {{ input.n }}}', None),
        (JSON, "a=1", "BODY_ODD"),
        ({"Content-Type": "application/xml"}, "<a/>", None),
        ({"Content-Type": "application/soap+xml"}, {"a": 1}, "BODY_ODD"),
        ({"Content-Type": "text/plain"}, {"a": 1}, None),
        ({}, {"a": 1}, None),
        ({}, "a", None),
        (FORM, None, None),
    ],
)
def test_a_body_that_is_none_of_its_type_is_told(headers: dict[str, str], body: Any, code: str | None) -> None:
    told = [] if code is None else [(code, "/steps/0/config/body")]
    assert found_in(headers=headers, body=body) == told


LATIN_XML = '<?xml version="1.0" encoding="ISO-8859-1"?><n>{}</n>'
LATIN_HTML = '<html><head><meta charset="iso-8859-1"></head>{}</html>'


def as_type(kind: str) -> dict[str, str]:
    return {"Content-Type": kind}


def file(content: str, kind: str) -> dict[str, Any]:
    return {"filename": "a", "content": content, "content_type": kind}


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (as_type("text/xml"), LATIN_XML.format("ü"), None),
        (as_type("text/xml; charset=iso-8859-1"), LATIN_XML.format("ü"), None),
        (as_type("text/xml; charset=latin1"), LATIN_XML.format("{{ escape_html(input.n) }}"), None),
        (as_type("text/xml; charset=utf-8"), LATIN_XML.format("u"), None),
        (as_type("text/xml; charset=utf-8"), LATIN_XML.format("ü"), "BODY_ODD"),
        (as_type("text/xml; charset=utf-8"), LATIN_XML.format("{{ escape_html(input.n) }}"), "BODY_ODD"),
        (as_type("text/xml; charset=utf-8"), LATIN_XML.replace("ISO-8859-1", "utf-8").format("ü"), None),
        (as_type("text/plain; charset=utf-8"), LATIN_XML.format("ü"), "BODY_ODD"),
        (as_type("application/soap+xml"), LATIN_XML.format("€"), "BODY_REFUSED"),
        (as_type("application/xml"), LATIN_XML.replace("ISO-8859-1", "unheard-of").format("ü"), "BODY_ODD"),
        (as_type("text/xml; charset=utf-8"), LATIN_XML.replace("ISO-8859-1", "utf-16").format("u"), "BODY_ODD"),
        ({}, LATIN_XML.format("ü"), None),
        (as_type("text/html"), LATIN_HTML.format("ü"), None),
        (as_type("text/html; charset=utf-8"), LATIN_HTML.format("ü"), "BODY_ODD"),
        (as_type("text/html; charset=utf-8"), LATIN_HTML.replace("iso-8859-1", "utf-16").format("ü"), None),
        (as_type("text/xml; charset=utf-8"), LATIN_HTML.format("ü"), None),
        (PARTS, {"f": file(LATIN_XML.format("ü"), "text/xml")}, None),
        (PARTS, {"f": [file(LATIN_XML.format("ü"), "text/xml; charset=utf-8")]}, "BODY_ODD"),
        (PARTS, {"f": file("a", "text/csv; charset=unheard-of")}, "BODY_ODD"),
    ],
)
def test_a_body_that_is_sent_in_another_charset_than_it_declares_is_told(
    headers: dict[str, str], body: Any, code: str | None
) -> None:
    told = [] if code is None else [(code, "/steps/0/config/body")]
    assert found_in(headers=headers, body=body) == told


XML = {"Content-Type": "text/xml; charset=utf-8"}


@pytest.mark.parametrize(
    ("headers", "body", "is_told"),
    [
        (FORM, "a={{ input.v }}", True),
        (FORM, "a=1&b={{ input.v }}&c={{ urlencode(input.v) }}", True),
        (FORM, "a={{ input.v ?? 'none' }}", True),
        (FORM, "a={{ escape_html(input.v) }}", True),
        (FORM, "a={{ urlencode(input.v) }}", False),
        (FORM, "a={{ urlencode(input.v) if input.v else 'x' }}&n={{ int(input.n) + 1 }}", False),
        (FORM, "a={{ urlencode(input.v) ?? '' }}&{{ raw(input.more) }}", False),
        (FORM, "{{ input.form }}", False),
        (FORM, "a=1", False),
        (FORM, {"a": "{{ input.v }}"}, False),
        (XML, "<a>{{ input.v }}</a>", True),
        (XML, "<a b='{{ urlencode(input.v) }}{{ input.v }}'/>", True),
        (XML, "<a><![CDATA[{{ input.v }}]]></a>", True),
        ({"Content-Type": "application/soap+xml"}, "<a>{{ input.v }}</a>", True),
        ({"Content-Type": "text/html"}, "<p>{{ input.v }}</p>", True),
        ({}, '<?xml version="1.0"?><a>{{ input.v }}</a>', True),
        (XML, "<a>{{ escape_html(input.v) }}</a>", False),
        (XML, "<a n='{{ int(input.n) }}'>{{ raw(input.inner) }}</a>", False),
        (XML, "<a/>", False),
        ({"Content-Type": "text/plain"}, "<a>{{ input.v }}</a>", False),
        ({}, "a={{ input.v }}", False),
    ],
)
def test_a_value_that_nothing_escapes_in_a_form_or_a_document_is_told(
    headers: dict[str, str], body: Any, is_told: bool
) -> None:
    told = [("TEMPLATE_NOT_ESCAPED", "/steps/0/config/body")] if is_told else []
    assert found_in(headers=headers, body=body) == told


def test_what_the_hint_says_is_told_no_more(acme: Customer, api: Api) -> None:
    def hint_of(headers: dict[str, str], body: str) -> str:
        segment = document({"a:http_action": {**CALL, "headers": headers, "body": body}})
        (found,) = api(acme).post("/api/v1/segments/validate", segment).json()["findings"]
        return str(found["hint"])

    assert "`{{ urlencode(input.v) }}`" in hint_of(FORM, "a={{ input.v }}")
    assert "`{{ escape_html(str(input.v)) }}`" in hint_of(XML, "<a>{{ input.v }}</a>")
    assert found_in(headers=XML, body="<a>{{ escape_html(str(input.v)) }}</a>") == []


def test_a_step_without_a_body_is_told_nothing() -> None:
    assert found_in(headers=FORM) == []
    assert found_in() == []


def test_templates_that_cannot_be_read_are_told_once() -> None:
    assert [code for code, _ in found_in(headers=FORM, body="{{ (")] == ["EXPRESSION_SYNTAX"]


@pytest.mark.parametrize(
    ("config", "is_told"),
    [
        ({"query": {"page": "first"}}, True),
        ({"url": "https://shop.example/orders?page=first"}, True),
        ({"url": "https://shop.example/orders?page=1", "query": {"page": 2}}, True),
        ({"body": "page=0", "headers": FORM}, True),
        ({"body": {"page": 0}, "in": "query"}, True),
        ({"body": "a=1", "headers": FORM, "in": "body"}, True),
        ({"query": {"page": "first"}, "start": 1}, False),
        ({"query": {"page": 0}}, False),
        ({"query": {"page": "{{ input.page }}"}}, False),
        ({"url": "https://shop.example/{{ input.shop }}?page=0"}, False),
        ({"url": "https://shop.example/orders?page={{ input.page }}"}, False),
        ({"body": {"page": 0}}, False),
        ({"body": {"page": "0"}, "headers": FORM}, False),
        ({"body": "{{ input }}", "in": "body"}, False),
        ({}, False),
    ],
)
def test_pages_nobody_can_count_are_told(config: dict[str, Any], is_told: bool) -> None:
    request = {name: said for name, said in config.items() if name not in {"in", "start"}}
    place = {"parameter_in": config["in"]} if "in" in config else {}
    start = {"start": config["start"]} if "start" in config else {}
    found = found_in(**request, pagination={"page": "page", **place, **start})
    assert found == ([("PAGES_REFUSED", "/steps/0/config/pagination")] if is_told else [])


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"body": {"{{ input.name }}": 1}}, "/steps/0/config/body/{{ input.name }}"),
        ({"body": {"rows": [{"a": 1}, {"x-{{ input.name }}": 1}]}}, "/steps/0/config/body/rows/1/x-{{ input.name }}"),
        ({"query": {"{{ input.name }}": "1"}}, "/steps/0/config/query/{{ input.name }}"),
        ({"body": {"{{ input.name }}": "{{ input.value }}"}}, "/steps/0/config/body/{{ input.name }}"),
        ({"body": {"name": "{{ input.name }}"}}, None),
        ({"body": "{{ {input.name: input.value} }}"}, None),
        ({"query": {"name": "{{ input.name }}", "{a}": 1}}, None),
    ],
)
def test_a_template_in_a_key_is_told_at_its_place(config: dict[str, Any], pointer: str | None) -> None:
    found = [finding for finding in found_in(**config) if finding[0] == "TEMPLATE_IN_KEY"]
    assert found == ([] if pointer is None else [("TEMPLATE_IN_KEY", pointer)])
