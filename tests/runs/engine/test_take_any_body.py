"""Whoever calls a link sends what their program sends: a body of any type resumes the run, with nothing lost."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.support.calls import links_of, post, told_before
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.host import running_host

FORM = "application/x-www-form-urlencoded"
NAMED = b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n'
BODIES: dict[str, tuple[str, bytes, Any]] = {
    "JSON by a vendor's name": ("application/vnd.x+json", b'{"n": 1}', {"n": 1}),
    "JSON by its old name": ("text/json", b'{"n": 1}', {"n": 1}),
    "JSON called text": ("text/plain", b'{"n": 1}', {"n": 1}),
    "JSON in another charset": ("application/json; charset=iso-8859-1", b'{"n": "\xfc"}', {"n": "ü"}),
    "text": ("text/plain; charset=utf-8", "paid, Grüße".encode(), "paid, Grüße"),
    "XML": ("application/xml", b"<paid/>", "<paid/>"),
    "a field twice": (FORM, b"n=1&m=a&m=b", {"n": "1", "m": ["a", "b"]}),
    "an integer beyond 2^53": ("application/json", b'{"n": 9007199254740993}', {"n": "9007199254740993"}),
    "one in a form": (FORM, b"n=%7B%22m%22%3A9007199254740993%7D", {"n": {"m": "9007199254740993"}}),
    "a multipart form": (
        "multipart/form-data; boundary=cut",
        b'--cut\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n'
        b'--cut\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nid\n7\r\n--cut--\r\n',
        {"n": "1", "f": "id\n7"},
    ),
}


@pytest.mark.parametrize("way", BODIES)
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
        ("multipart/form-data", b"x", 400),
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
