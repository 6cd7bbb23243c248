"""Bodies as data would bend them, and what of them journals show."""

import base64
import json
from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer

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


async def test_a_file_whose_content_is_null_is_left_out_as_any_member_is(bench: Bench, url: str) -> None:
    async def sent(content: Any) -> bytes:
        bench.server.route("POST", "/up", Answer())
        body = {"a": "1", "b": None, "f": {"filename": "f.txt", "content": content}}
        await bench.run(
            {"method": "POST", "url": f"{url}/up", "headers": {"Content-Type": "multipart/form-data"}, "body": body}
        )
        return bench.server.calls[-1].body

    assert b'filename="f.txt"' in await sent("")
    without = await sent(None)
    assert b'name="a"' in without
    assert b"f.txt" not in without
    assert b"null" not in without


@pytest.mark.parametrize(
    ("address", "base", "sent"),
    [
        ("{{ input.base }}/a", "", "/a"),
        ("{{ input.base }}/a", "?x=1", None),
        ("{{ input.base }}/a", "?x=1#", None),
        ("{{ input.base }}?y=2", "?x=1", None),
        ("{{ input.base }}&y={{ input.base }}", "#top", None),
        ("{{ input.base }}&y=2", "/?x=1", "/?x=1&y=2"),
        ("{{ input.base }}", "/?x=1", "/?x=1"),
        ("{{ input.base }}", "/a#top", "/a"),
    ],
)
async def test_nothing_is_lost_behind_a_url_that_ends_in_a_query(
    bench: Bench, url: str, address: str, base: str, sent: str | None
) -> None:
    bench.server.route("GET", "/*", Answer(body={"n": 1}))
    bench.server.route("GET", "/", Answer(body={"n": 1}))
    config = {"method": "GET", "url": address}
    value = {"base": f"{url}{base}"}
    if sent is None:
        failure = await bench.fail(config, value=value, is_filled=False)
        assert "has a ? or #" in failure.message
        assert bench.server.calls == []
        return
    await bench.run(config, value=value, is_filled=False)
    call = bench.server.calls[-1]
    assert call.target == sent


HIDDEN: dict[str, tuple[str, Any]] = {
    "a pair of name and value": ("/ok", {"fields": [{"name": "password", "value": "hunter2"}, {"name": "user"}]}),
    "a pair of key and value": ("/ok", [{"key": "apiToken", "value": "hunter2"}]),
    "JSON in a member": ("/ok", {"user": "ann", "login": '{"password": "hunter2", "user": "ann"}'}),
    "JSON in JSON in a member": ("/ok", {"a": json.dumps({"b": json.dumps({"secret": "hunter2"})})}),
    "JSON in a text of JSON": ("/ok", json.dumps({"a": json.dumps({"password": "hunter2"})})),
    "GraphQL": ("/ok", {"query": 'mutation { login(user: "ann", password: "hunter2") { id } }'}),
    "XML in a member": ("/ok", {"xml": "<a><password>hunter2</password></a>"}),
    "other languages": (
        "/ok",
        {"passwort": "hunter2", "mot_de_passe": "hunter2", "пароль": "hunter2", "senha": "hunter2"},
    ),
    "a path of Telegram": ("/bot12345:AAhunter2-hunter2_hunter2hunter2hunt/sendMessage", {}),
    "a path of Slack": ("/services/T00AB/B00CD/hunter2hunter2hunter2hun", {}),
    "a path of Discord": ("/api/webhooks/12345/hunter2-hunter2_hunter2hunter2", {}),
}


@pytest.mark.parametrize("place", HIDDEN)
async def test_credentials_are_shown_nowhere_wherever_they_stand(bench: Bench, url: str, place: str) -> None:
    path, body = HIDDEN[place]
    bench.server.route("POST", path, Answer(body={"n": 1}))
    await bench.run({"method": "POST", "url": f"{url}{path}", "body": body})
    sent = bench.server.calls[-1]
    assert "hunter2" in sent.target + sent.body.decode()
    told = json.dumps(bench.journal[0][1], ensure_ascii=False)
    assert "[cut]" in told
    assert "hunt" not in told


@pytest.mark.parametrize(
    "body",
    [
        {"fields": [{"name": "colour", "value": "red"}], "note": '{"a": 1}', "query": "{ orders { id } }"},
        '{ "a" : "b" }',
        {"note": "Your password: is safe with us", "n": 1},
        {"name": "Ann", "value": 5},
    ],
)
async def test_what_is_no_credential_is_shown_as_it_is_sent(bench: Bench, url: str, body: Any) -> None:
    path = "/orders/8f14e45f-ceea-467f-a8d4-0123456789ab/services/T1/bot5"
    bench.server.route("POST", path, Answer(body={"n": 1}))
    await bench.run({"method": "POST", "url": f"{url}{path}", "body": body})
    assert bench.journal[0][1]["body"] == body
    assert bench.journal[0][1]["url"] == f"{url}{path}"
