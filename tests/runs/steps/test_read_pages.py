"""Answers that come in pages: three ways to find the next one, each call its own, and no way to run for ever."""

from typing import Any

import pytest

from tests.support.gates import Window
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

PAGES = {"": ([1, 2], "b"), "b": ([3], "c"), "c": ([4, 5], None)}


def by_cursor(request: RecordedRequest) -> Answer:
    items, cursor = PAGES[request.query.get("cursor", [""])[0]]
    return Answer(body={"items": items, "cursor": cursor})


def by_path(request: RecordedRequest) -> Answer:
    items, following = PAGES[request.path.removeprefix("/pages/")]
    return Answer(body={"items": items, "next": following and f"/pages/{following}?kept=1"})


def by_link(request: RecordedRequest) -> Answer:
    items, following = PAGES[request.path.removeprefix("/linked/")]
    link = f'</linked/>; rel="first", </linked/{following}>; rel="next"' if following else '</linked/>; rel="first"'
    return Answer(body=items, headers={"Link": link})


def config(bench: Bench, path: str, pagination: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"method": "GET", "url": f"{bench.server.url}{path}", "pagination": pagination, **more}


async def test_a_cursor_goes_into_a_parameter(bench: Bench) -> None:
    bench.server.route("GET", "/list", by_cursor)
    wanted = {"cursor": "response.cursor", "parameter": "cursor", "items": "response.items"}
    emitted = await bench.run(config(bench, "/list?size=2", wanted))
    assert emitted.ports == {"response": [1, 2, 3, 4, 5], "status": 200}
    assert [call.query for call in bench.server.calls] == [
        {"size": ["2"]},
        {"size": ["2"], "cursor": ["b"]},
        {"size": ["2"], "cursor": ["c"]},
    ]


@pytest.mark.parametrize("end", [None, "", False])
async def test_a_cursor_of_0_is_one_and_nothing_ends(bench: Bench, end: Any) -> None:
    cursors = {"": 0, "0": "b", "b": end}
    wanted = {"cursor": "response.cursor", "parameter": "cursor", "items": "response.items"}

    def page(request: RecordedRequest) -> Answer:
        asked = request.query.get("cursor", [""])[0]
        return Answer(body={"items": [asked], "cursor": cursors[asked]})

    bench.server.route("GET", "/list", page)
    assert (await bench.run(config(bench, "/list", wanted))).ports["response"] == ["", "0", "b"]
    follows = {"next": "0 if page == 1 else null", "items": "response.items"}
    bench.server.route("GET", "/0", Answer(body={"items": ["last"]}))
    assert (await bench.run(config(bench, "/list", follows))).ports["response"] == ["", "last"]


async def test_an_expression_names_the_next_page_by_url_or_path(bench: Bench) -> None:
    bench.server.route("GET", "/pages/*", by_path)
    emitted = await bench.run(config(bench, "/pages/", {"next": "response.next", "items": "response.items"}))
    assert emitted.ports["response"] == [1, 2, 3, 4, 5]


async def test_the_link_header_names_the_next_page(bench: Bench) -> None:
    bench.server.route("GET", "/linked/*", by_link)
    emitted = await bench.run(config(bench, "/linked/", {"next_link": True}))
    assert emitted.ports["response"] == [1, 2, 3, 4, 5]


async def test_select_sees_all_items(bench: Bench) -> None:
    bench.server.route("GET", "/linked/*", by_link)
    emitted = await bench.run(config(bench, "/linked/", {"next_link": True}, select="sum(response)"))
    assert emitted.ports["response"] == 15


async def test_each_page_is_journalled_as_a_call_of_its_own(bench: Bench) -> None:
    bench.server.route("GET", "/linked/*", by_link)
    await bench.run(config(bench, "/linked/", {"next_link": True}))
    assert [kind for kind, _ in bench.journal] == ["action.started", "action.completed"] * 3


async def test_a_limit_between_pages_is_waited_for_and_no_page_is_asked_twice(bench: Bench) -> None:
    """Put off, the step would begin with the first page again, and never see the last."""
    bench.server.route("GET", "/linked/*", by_link)
    bench.gates.append(Window(1, seconds=0.1).gate)
    emitted = await bench.run(config(bench, "/linked/", {"next_link": True}))
    assert emitted.ports["response"] == [1, 2, 3, 4, 5]
    assert len(bench.server.calls) == 3


async def test_more_pages_than_allowed_fail_the_step(bench: Bench) -> None:
    bench.server.route("GET", "/linked/*", by_link)
    assert (await bench.run(config(bench, "/linked/", {"next_link": True, "max_pages": 3}))).ports["status"] == 200
    failure = await bench.fail(config(bench, "/linked/", {"next_link": True, "max_pages": 2}))
    assert (failure.code, failure.details) == ("PAGINATION_LIMIT", {"limit": 2})
    assert bench.server.count() == 3 + 2


async def test_a_page_that_comes_again_fails_the_step(bench: Bench) -> None:
    bench.server.route("GET", "/round", Answer(body=[1], headers={"Link": "</round>; rel=next"}))
    failure = await bench.fail(config(bench, "/round", {"next_link": True}))
    assert failure.code == "PAGINATION_LOOP"
    assert bench.server.count("/round") == 1


async def test_a_page_on_another_host_is_not_asked(bench: Bench) -> None:
    other = bench.server.url.replace("127.0.0.1", "localhost")
    bench.server.route("GET", "/away", Answer(body=[1], headers={"Link": f"<{other}/ok>; rel=next"}))
    failure = await bench.fail(config(bench, "/away", {"next_link": True}))
    assert failure.code == "PAGE_ELSEWHERE"
    assert bench.server.count("/ok") == 0


async def test_all_items_together_are_one_bounded_value(bench: Bench) -> None:
    text = "x" * 400_000

    def page(request: RecordedRequest) -> Answer:
        number = int(request.query.get("page", ["0"])[0])
        return Answer(body={"items": [text], "cursor": number + 1 if number < 5 else None})

    bench.server.route("GET", "/large", page)
    wanted = {"cursor": "response.cursor", "parameter": "page", "items": "response.items"}
    failure = await bench.fail(config(bench, "/large", wanted))
    assert failure.code == "VALUE_TOO_LARGE"
    assert bench.server.count("/large") == 3, "it stops where the bound is passed"
    short = await bench.run(config(bench, "/large", {**wanted, "items": "[len(i) for i in response.items]"}))
    assert short.ports["response"] == [400_000] * 6


@pytest.mark.parametrize(
    ("body", "pagination", "code"),
    [
        ({"items": 1}, {"next": "null", "items": "response.items"}, "PAGE_WITHOUT_LIST"),
        ({"items": []}, {"next_link": True}, "PAGE_WITHOUT_LIST"),
        ([1], {"next": "[1]"}, "PAGE_UNREADABLE"),
        ([1], {"next": "missing.next"}, "EXPRESSION_MISSING_NAME"),
    ],
)
async def test_what_cannot_be_followed_is_a_clear_failure(
    bench: Bench, body: Any, pagination: dict[str, Any], code: str
) -> None:
    bench.server.route("GET", "/odd", Answer(body=body))
    failure = await bench.fail(config(bench, "/odd", pagination))
    assert (failure.code, failure.retryable) == (code, False)


async def test_a_page_that_fails_fails_the_step_with_its_status(bench: Bench) -> None:
    bench.server.route("GET", "/list", [Answer(body={"items": [1], "cursor": "b"}), Answer(status=503)])
    failure = await bench.fail(
        config(bench, "/list", {"cursor": "response.cursor", "parameter": "cursor", "items": "response.items"})
    )
    assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", True, True)
