"""Bodies as data would bend them, and what of them journals show."""

import base64
import json
from typing import Any

import pytest

from tests.support.http_bench import Bench

MULTIPART = {"Content-Type": "multipart/form-data"}


@pytest.mark.parametrize(
    "content_type",
    ['text/csv\r\nContent-Disposition: form-data; name="role"\r\n\r\nadmin', "text/csv\n", "text/\x00csv", "text/çsv"],
)
async def test_data_writes_no_headers_into_a_part(bench: Bench, url: str, content_type: str) -> None:
    def config(content_type: str) -> dict[str, Any]:
        file = {"filename": "o.csv", "content": "a", "content_type": content_type}
        return {"url": f"{url}/ok", "headers": MULTIPART, "body": {"file": file}}

    await bench.run(config("text/csv"))
    assert b"Content-Type: text/csv\r\n\r\na\r\n" in bench.server.calls[-1].body
    assert (await bench.fail(config(content_type))).code == "BODY_REFUSED"
    assert bench.server.count() == 1


@pytest.mark.parametrize(
    "spelled",
    [
        base64.b64encode(bytes(range(256))).decode(),
        base64.encodebytes(bytes(range(256))).decode(),
        base64.encodebytes(bytes(range(256))).decode().replace("\n", "\r\n"),
        "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode(),
        base64.urlsafe_b64encode(bytes(range(256))).decode().rstrip("="),
    ],
)
async def test_a_file_in_base64_is_read_as_mails_and_browsers_write_it(bench: Bench, url: str, spelled: str) -> None:
    def config(content: str) -> dict[str, Any]:
        file = {"filename": "scan", "content": content, "encoding": "base64"}
        return {"url": f"{url}/ok", "headers": MULTIPART, "body": {"file": file}}

    await bench.run(config(spelled))
    assert bytes(range(256)) in bench.server.calls[-1].body
    assert (await bench.fail(config(spelled + "%"))).code == "BODY_REFUSED"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", '{"user": "ann", "password": "hunter2", "n": 1}'),
        ("application/json", '{"user": "ann", "pin": 48879}'),
        ("application/json", '{"user": "ann", "password": "hunter2'),
        ("application/x-www-form-urlencoded", "grant_type=password&password=hunter2&user=ann"),
        ("application/x-www-form-urlencoded", "user%5Bpassword%5D=hunter2&user=ann"),
        ("application/xml", "<a><user>ann</user><w:Password Type='t'>hunter2</w:Password></a>"),
        ("application/xml", "<a><user>ann</user><password><![CDATA[hunt]er2]]></password></a>"),
        ("application/xml", '<login user="ann" password="hunter2"/>'),
        ("text/plain", "user: ann\npassword: hunter2"),
    ],
)
async def test_what_is_named_like_a_credential_in_a_text_is_shown_nowhere(
    bench: Bench, url: str, kind: str, body: str
) -> None:
    await bench.run({"url": f"{url}/ok", "headers": {"Content-Type": kind}, "body": body})
    assert bench.server.calls[-1].body.decode() == body
    told = json.dumps(bench.journal[0][1])
    assert "[cut]" in told
    assert "ann" in told
    assert not any(part in told for part in ("hunt", "er2", "48879"))


async def test_a_member_named_pin_is_shown_nowhere(bench: Bench, url: str) -> None:
    await bench.run({"url": f"{url}/ok", "body": {"pin": "4711", "card_pin": 4712, "shipping": "4713"}})
    assert bench.journal[0][1]["body"] == {"pin": "[cut]", "card_pin": "[cut]", "shipping": "4713"}


async def test_a_base_that_no_path_can_follow_is_not_called(bench: Bench, url: str) -> None:
    for ref, tail in (("good", ""), ("query", "?v=1"), ("hash", "#x")):
        bench.context.bases[ref] = url + tail
    assert (await bench.run({"client_ref": "good", "path": "/ok"})).ports["status"] == 201
    for ref in ("query", "hash"):
        assert (await bench.fail({"client_ref": ref, "path": "/ok"})).code == "CONFIG_INVALID"
