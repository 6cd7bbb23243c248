"""Whoever calls a link sends what their program sends: a body of any type resumes the run, with nothing lost."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.support.calls import get, links_of, parked, post, problem, told_before
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host
from tests.support.sampling import sampled

FORM = "application/x-www-form-urlencoded"
NAMED = b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'
MULTIPART = 'multipart/form-data; boundary="cut"'
END = b"--cut--\r\n"


def part(told: str, content: bytes, content_type: str = "") -> bytes:
    """A part of a multipart form; what is told of it may be in any charset."""
    head = f"Content-Disposition: form-data; {told}".encode("latin-1")
    typed = f"\r\nContent-Type: {content_type}".encode() if content_type else b""
    return b"--cut\r\n" + head + typed + b"\r\n\r\n" + content + b"\r\n"


BODIES: dict[str, tuple[str, bytes, Any]] = {
    "JSON by a vendor's name": ("application/vnd.x+json", b'{"n": 1}', {"n": 1}),
    "JSON by its old name": ("text/json", b'{"n": 1}', {"n": 1}),
    "JSON called text": ("text/plain", b'{"n": 1}', {"n": 1}),
    "JSON in another charset": ("application/json; charset=iso-8859-1", b'{"n": "\xfc"}', {"n": "ü"}),
    "text": ("text/plain; charset=utf-8", "paid, Grüße".encode(), "paid, Grüße"),
    "XML": ("application/xml", b"<paid/>", "<paid/>"),
    "a field twice": (FORM, b"n=1&m=a&m=b", {"n": "1", "m": ["a", "b"]}),
    "an integer beyond 2^53": ("application/json", b'{"n": 9007199254740993}', {"n": "9007199254740993"}),
    "one with a fraction": ("application/json", b'{"n": 9007199254740993.0}', {"n": "9007199254740993"}),
    "JSON in a form": (FORM, b"n=%7B%22m%22%3A9007199254740993%7D", {"n": '{"m":9007199254740993}'}),
    "a multipart form": (
        "multipart/form-data; boundary=cut",
        b'--cut\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n'
        b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nid\n7\r\n--cut--\r\n',
        {"n": "1", "f": "id\n7"},
    ),
    "a form in another charset": (FORM, b"n=M%FCller&stra%DFe=x", {"n": "Müller", "straße": "x"}),
    "one by its type": (f"{FORM}; charset=windows-1251", b"n=%CC%E8%F0", {"n": "Мир"}),
    "one by a field": (FORM, b"charset=windows-1251&n=%CC%E8%F0", {"charset": "windows-1251", "n": "Мир"}),
    "one in UTF-8": (FORM, b"n=%C3%BC&m=\xc3\xbc+x&k", {"n": "ü", "m": "ü x", "k": ""}),
    "JSON under curl's type": (FORM, b'{"n": "a=1&b=2"}', {"n": "a=1&b=2"}),
    "an empty list under it": (FORM, b"[]", []),
    "a blank body": ("application/json", b" \n", {}),
    "no body": ("application/json", b"", {}),
    "parts in another charset": (
        MULTIPART,
        part('name="n"', b"M\xfcller") + part('name="m"', b"\xcc\xe8\xf0", "text/plain; charset=windows-1251") + END,
        {"n": "Müller", "m": "Мир"},
    ),
    "parts by a field": (
        MULTIPART,
        part('name="_charset_"', b"windows-1251") + part('name="n"', b"\xcc\xe8\xf0") + END,
        {"_charset_": "windows-1251", "n": "Мир"},
    ),
    "names in another charset": (
        MULTIPART, part('name="stra\xdfe"', b"x") + part('name=bare', b"y") + END, {"straße": "x", "bare": "y"},
    ),
    "a part without a name": (MULTIPART, b"--cut\r\n\r\nx\r\n" + part("", b"y") + END, {"": ["x", "y"]}),
    "a file without a name": (MULTIPART, part('name="f"; filename=""', b"x\r\n--no\r\n") + END, {"f": "x\r\n--no\r\n"}),
    "parts with a coding": (
        MULTIPART,
        part('name="a"\r\nContent-Transfer-Encoding: base64', b"aGVsbG8=")
        + part('name="b"\r\nContent-Transfer-Encoding: quoted-printable', b"M=C3=BCller") + END,
        {"a": "hello", "b": "Müller"},
    ),
    "parts with bare line ends": (
        MULTIPART, (part('name="a"', b"1") + part('name="b"', b"") + END).replace(b"\r\n", b"\n"), {"a": "1", "b": ""},
    ),
    "a form without parts": (MULTIPART, END, {}),
}  # fmt: skip


@pytest.mark.parametrize("way", sampled(BODIES, one_in=3))
def test_a_call_is_not_lost_to_the_type_of_its_body(acme: Tenant, way: str) -> None:
    content_type, body, read = BODIES[way]
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        answer = APIClient().generic("POST", urlsplit(link).path, body, content_type=content_type)
        assert answer.status_code == 200, answer.content
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == read


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/vnd.x+json", b"{", 400),
        ("application/json", b'{"n": NaN}', 400),
        ("application/json", b'{"n": 1, "n": 2}', 400),
        ("multipart/form-data", b"x", 400),
        (MULTIPART, part('name="n"', b"x") * 1_001 + END, 400),
        (FORM, b"n&" * 1_001, 400),
        ("multipart/form-data; boundary=cut", NAMED + b"cut off", 400),
        ("multipart/form-data; boundary=cut", NAMED + b"\0\r\n--cut--", 400),
        ("text/plain", b"a\0b", 422),
        ("text/plain", b"x" * 1_048_577, 413),
        (FORM, b"n=" + b"x" * 65_536, 413),
    ],
)
def test_a_body_that_is_none_is_refused_and_the_link_can_be_called_again(
    acme: Tenant, content_type: str, body: bytes, status: int
) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        refused = APIClient().generic("POST", urlsplit(link).path, body, content_type=content_type)
        assert refused.status_code == status, refused.content
        assert post(link, {}).status_code == 200
        assert wait_until_over(run_id) == ["completed"]


FIELDS: dict[str, tuple[Any, str, Any]] = {
    "an integer": ({"type": "integer"}, "5", 5),
    "a large one": ({"type": "integer"}, "9007199254740993", "9007199254740993"),
    "a large number": ({"type": "number"}, "9007199254740993", "9007199254740993"),
    "one with a fraction": ({"type": "number"}, "12345678901234567.89", "12345678901234567.89"),
    "a number": ({"type": "number"}, "-0.5", -0.5),
    "a whole number": ({"type": "number"}, "12", 12),
    "a truth": ({"type": "boolean"}, "true", True),
    "a box left empty": ({"type": "boolean"}, "0", False),
    "one or nothing": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7),
    "nothing": ({"type": ["integer", "null"]}, "", None),
    "a list of one": ({"type": "array", "items": {"type": "integer"}}, "3", [3]),
    "a list": ({"type": "array", "items": {"type": "integer"}}, "3&n=4", [3, 4]),
    "a text that looks like a list": ({"type": "string"}, "[1,2]", "[1,2]"),
    "a list of JSON": ({"type": "array", "items": {"type": "integer"}}, "[1,2]", [1, 2]),
    "an object of JSON": ({"type": "object"}, "{%22a%22: 9007199254740993}", {"a": "9007199254740993"}),
    "JSON of which nothing is said": ({}, "{%22a%22: 1}", '{"a": 1}'),
    "a list of which nothing is said": ({}, "[1,2]", "[1,2]"),
    "a text of digits": ({"type": "string"}, "007", "007"),
    "either": ({"type": ["integer", "string"]}, "007", "007"),
}


@pytest.mark.parametrize("way", sampled(FIELDS, one_in=3))
def test_a_form_s_texts_stand_for_what_the_schema_asks_for(acme: Tenant, way: str) -> None:
    schema, sent, read = FIELDS[way]
    run_id = queue_run(acme, told_before(schema={"type": "object", "properties": {"n": schema}}))
    with running_host():
        (link,) = links_of(run_id)
        answer = APIClient().generic("POST", urlsplit(link).path, f"n={sent}".encode(), content_type=FORM)
        assert answer.status_code == 200, answer.content
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output["answer"] == {"n": read}


def test_texts_that_stand_for_none_and_texts_in_json_are_refused(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before(schema={"type": "object", "properties": {"n": {"type": "integer"}}}))
    with running_host():
        (link,) = links_of(run_id)
        for content_type, body in ((FORM, b"n=five"), (FORM, b"n=5.5"), ("application/json", b'{"n": "5"}')):
            refused = APIClient().generic("POST", urlsplit(link).path, body, content_type=content_type)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/n")
        assert post(link, {"n": 5}).status_code == 200
        assert wait_until_over(run_id) == ["completed"]


def test_a_slash_at_the_end_of_a_link_changes_nothing(acme: Tenant) -> None:
    run_id = queue_run(acme, told_before())
    with running_host():
        (link,) = links_of(run_id)
        parked(run_id)
        page = get(f"{link}/")
        assert (page.status_code, "waits for a call" in page.content.decode()) == (200, True)
        answer = post(f"{link}/", {"paid": True})
        assert (answer.status_code, answer.json()) == (200, {"outcome": "resumed"})
        assert wait_until_over(run_id) == ["completed"]
        assert get_run(run_id).output["answer"] == {"paid": True}
        assert problem(post(f"{link}/", {})) == {"status": 410, "code": "LINK_OVER"}
        assert problem(post(f"{link}x/", {})) == {"status": 404, "code": "LINK_UNKNOWN"}
