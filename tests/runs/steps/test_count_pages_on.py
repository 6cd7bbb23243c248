"""Pages that are counted go on from the number the step itself says, wherever it says it; none is passed over."""

from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
ROWS = list(range(12))


def told(request: RecordedRequest, name: str) -> str | None:
    """Read a parameter as servers do: from the query, a form, or JSON."""
    body = request.body.decode()
    kind = request.headers.get("content-type", "").partition(";")[0]
    if name in request.query:
        return request.query[name][0]
    if kind == FORM:
        return parse_qs(body).get(name, [None])[0]
    if kind == PARTS:
        _, found, behind = body.partition(f'name="{name}"')
        return behind.split("\r\n")[2] if found else None
    found = request.json() if body else None
    return str(found[name]) if isinstance(found, dict) and name in found else None


def serve(bench: Bench, way: str, usual: int) -> list[str | None]:
    """Serve rows in pages of two, or from an offset; note each number that is asked for."""
    asked: list[str | None] = []

    def page(request: RecordedRequest) -> Answer:
        asked.append(told(request, way))
        number = usual if asked[-1] is None else int(asked[-1])
        begin = number if way == "offset" else (number - usual) * 2
        return Answer(body={"rows": ROWS[begin : begin + 2]})

    for method in ("GET", "POST"):
        bench.server.route(method, "/rows", page)
    return asked


def request_that_says(url: str, place: str, name: str, value: Any) -> dict[str, Any]:
    said = {name: value, "size": 2}
    if place == "query":
        return {"method": "GET", "url": f"{url}/rows", "query": said}
    if place == "url":
        return {"method": "GET", "url": f"{url}/rows?{name}={value}&size=2"}
    if place == "template":
        return {"method": "GET", "url": f"{url}/rows", "query": {**said, name: "{{ input }}"}}
    kinds = {"form": FORM, "parts": PARTS, "json": "application/json"}
    return {"method": "POST", "url": f"{url}/rows", "headers": {"Content-Type": kinds[place]}, "body": said}


PLACES = ["query", "url", "template", "form", "parts", "json"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("usual", [0, 1])
@pytest.mark.parametrize("behind", [0, 1, 3])
@pytest.mark.parametrize("kind", [int, str])
async def test_a_page_that_the_step_names_is_counted_on_from(
    bench: Bench, place: str, usual: int, behind: int, kind: type
) -> None:
    first = usual + behind
    asked = serve(bench, "page", usual)
    config = request_that_says(bench.server.url, place, "page", kind(first))
    config["pagination"] = {"page": "page", "items": "response.rows"}
    emitted = await bench.run(config, value=kind(first), is_filled=False)
    assert emitted.ports["response"] == ROWS[2 * behind :]
    assert asked == [str(number) for number in range(first, usual + 7)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("first", [0, 4, "4"])
async def test_an_offset_that_the_step_names_is_counted_on_from(bench: Bench, url: str, place: str, first: Any) -> None:
    asked = serve(bench, "offset", 0)
    config = request_that_says(url, place, "offset", first)
    config["pagination"] = {"offset": "offset", "items": "response.rows"}
    emitted = await bench.run(config, value=first, is_filled=False)
    assert emitted.ports["response"] == ROWS[int(first) :]
    assert asked == [str(number) for number in range(int(first), 13, 2)]


@pytest.mark.parametrize("place", PLACES)
async def test_a_start_goes_before_what_the_request_says(bench: Bench, url: str, place: str) -> None:
    asked = serve(bench, "page", 0)
    config = request_that_says(url, place, "page", 5)
    config["pagination"] = {"page": "page", "start": 0, "items": "response.rows"}
    assert (await bench.run(config, value=5, is_filled=False)).ports["response"] == ROWS
    assert asked == ["0", "1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("unnamed", [{}, {"page": None}, {"page": ""}])
async def test_what_names_no_page_begins_with_the_first(bench: Bench, url: str, unnamed: dict[str, Any]) -> None:
    asked: list[list[str]] = []

    def page(request: RecordedRequest) -> Answer:
        asked.append(request.query.get("page", []))
        return Answer(body=[len(asked)] if len(asked) < 3 else [])

    bench.server.route("GET", "/rows", page)
    config = {"method": "GET", "url": f"{url}/rows", "query": unnamed, "pagination": {"page": "page"}}
    assert (await bench.run(config)).ports["response"] == [1, 2]
    assert asked[1:] == [["2"], ["3"]]


async def test_a_number_that_is_a_text_in_json_stays_one(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/rows", [Answer(body=[1]), Answer(body=[])])
    config = {"method": "POST", "url": f"{url}/rows", "pagination": {"page": "page"}}
    await bench.run({**config, "body": {"page": "0"}})
    assert [call.json() for call in bench.server.calls] == [{"page": "0"}, {"page": "1"}]


@pytest.mark.parametrize(
    "flaw",
    [
        {"query": {"page": "first"}},
        {"query": {"page": [0, 1]}},
        {"query": {"page": 1.5}},
        {"query": {"page": True}},
        {"query": {"Page": 0}},
        {"query": {"page": 0}, "body": {"page": 1}},
        {"query": {}, "body": {"page": {"number": 0}}},
        {"query": {"page": 0}, "in": "body"},
        {"query": {}, "body": {"page": 0}, "in": "query"},
        {"query": {}, "body": "page=0&size=2", "headers": {"Content-Type": FORM}},
        {"query": {}, "body": '{"page": 0}', "headers": {"Content-Type": "application/json"}},
    ],
)
async def test_a_number_nobody_can_count_on_from_is_refused_before_anything_is_sent(
    bench: Bench, url: str, flaw: dict[str, Any]
) -> None:
    bench.server.route("POST", "/rows", [Answer(body=[1]), Answer(body=[])])
    place = {"parameter_in": flaw["in"]} if "in" in flaw else {}
    sound = {"method": "POST", "url": f"{url}/rows", "body": {"size": 2}, "query": {"page": 0}}
    assert (await bench.run({**sound, "pagination": {"page": "page"}})).ports["response"] == [1]
    bench.server.forget()
    config = {**sound, **{name: said for name, said in flaw.items() if name != "in"}}
    failure = await bench.fail({**config, "pagination": {"page": "page", **place}})
    assert (failure.code, failure.retryable, bench.server.count()) == ("CONFIG_INVALID", False, 0)
    assert "`pagination.start`" in failure.message
    bench.server.route("POST", "/rows", [Answer(body=[1]), Answer(body=[])])
    assert (await bench.run({**config, "pagination": {"page": "page", "start": 0, **place}})).ports["response"] == [1]


@pytest.mark.parametrize("kind", [FORM, PARTS, "application/json", "application/vnd.api+json"])
@pytest.mark.parametrize("way", [{"page": "at"}, {"cursor": "response.next", "parameter": "at"}])
async def test_a_body_is_written_as_it_was_on_every_page(
    bench: Bench, url: str, kind: str, way: dict[str, str]
) -> None:
    """A server of forms sees neither filter nor cursor in JSON that is called a form."""
    seen: list[tuple[str | None, str | None]] = []

    def page(request: RecordedRequest) -> Answer:
        seen.append((told(request, "status"), told(request, "at")))
        return Answer(
            body={"rows": [len(seen)] if len(seen) < 3 else [], "next": len(seen) + 1 if len(seen) < 3 else None}
        )

    bench.server.route("POST", "/rows", page)
    spec = {**way, "items": "response.rows", "parameter_in": "body"}
    config = {"method": "POST", "url": f"{url}/rows", "headers": {"Content-Type": kind}, "pagination": spec}
    assert (await bench.run({**config, "body": {"status": "open"}})).ports["response"] == [1, 2]
    assert seen == [("open", None), ("open", "2"), ("open", "3")]


@pytest.mark.parametrize("body", ["status=open", [1], 7])
@pytest.mark.parametrize("way", [{"page": "at"}, {"cursor": "response.next", "parameter": "at"}])
async def test_a_body_without_members_takes_no_parameter_and_nothing_is_sent(
    bench: Bench, url: str, body: Any, way: dict[str, str]
) -> None:
    pages = [Answer(body={"rows": [1], "next": "b"}), Answer(body={"rows": [], "next": None})]
    bench.server.route("POST", "/rows", pages)
    config = {"method": "POST", "url": f"{url}/rows", "body": body}
    spec = {**way, "items": "response.rows"}
    assert (await bench.run({**config, "pagination": spec})).ports["response"] == [1]
    bench.server.forget()
    failure = await bench.fail({**config, "pagination": {**spec, "parameter_in": "body"}})
    assert (failure.code, bench.server.count()) == ("CONFIG_INVALID", 0)


@pytest.mark.parametrize("way", [{"page": "page"}, {"offset": "skip"}])
@pytest.mark.parametrize("spec", [{}, {"items": "response"}])
@pytest.mark.parametrize("status", [200, 201, 202, 205])
async def test_an_empty_answer_behind_a_counted_page_is_no_end(
    bench: Bench, url: str, way: dict[str, str], spec: dict[str, str], status: int
) -> None:
    null = Answer(body=b"null", headers={"Content-Type": "application/json"})
    config = {"method": "GET", "url": f"{url}/rows", "pagination": {**way, **spec}}
    for end in (Answer(body=[]), null, Answer(204)):
        bench.server.route("GET", "/rows", [Answer(body=[1]), end])
        assert (await bench.run(config)).ports["response"] == [1]
    bench.server.route("GET", "/rows", [Answer(body=[1]), Answer(status, body=b"")])
    failure = await bench.fail(config)
    assert failure.code == "PAGE_WITHOUT_LIST"
    assert "`... ?? []`" in failure.message
    bench.server.route("GET", "/rows", [Answer(body=[1]), Answer(status, body=b"")])
    config["pagination"] = {**way, "items": "response ?? []"}
    assert (await bench.run(config)).ports["response"] == [1]
