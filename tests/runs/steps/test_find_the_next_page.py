"""The next page as the header Link names it: however it is written, it is followed, or the step says that it is not."""

from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer


def linked(bench: Bench, link: str | list[str]) -> dict[str, Any]:
    bench.server.route("GET", "/first", Answer(body=[1], headers={"Link": link}))
    bench.server.route("GET", "/second", Answer(body=[2]))
    return {"method": "GET", "url": f"{bench.server.url}/first", "pagination": {"next_link": True}}


@pytest.mark.parametrize(
    "link",
    [
        '</second>; rel="next"',
        ', </second> ; ; rel="next" ,',
        "</second>; rel='next'",
        ',, </first>; rel="first",, </second>;rel=next',
        '</first>; rel="next"; anchor="#foo", </second>; rel="next"',
        ['</first>; rel="first"', '</second>; rel="next"'],
        ['</second>; rel="next"', '<second>; rel="next last"'],
    ],
)
async def test_a_next_page_is_followed_however_it_is_written(bench: Bench, link: str | list[str]) -> None:
    assert (await bench.run(linked(bench, link))).ports["response"] == [1, 2]


@pytest.mark.parametrize(
    "link",
    [
        '</second; rel="next"',
        '/second; rel="next"',
        '</second> rel="next"',
        '</first>; rel="first", /second; rel="next"',
        '</second; rel="next", </first>; rel="first"',
        "/second; rel=next",
        '</second>; rel="next", </third>; rel="next"',
    ],
)
async def test_a_next_page_that_cannot_be_read_is_never_the_end(bench: Bench, link: str) -> None:
    assert (await bench.run(linked(bench, '</second>; rel="next"'))).ports["response"] == [1, 2]
    failure = await bench.fail(linked(bench, link))
    assert (failure.code, failure.details) == ("PAGE_UNREADABLE", {"link": link})
    assert "pagination.next" in failure.message


@pytest.mark.parametrize(
    "link", ['</x>; rel="prev"', '</x>; title="next"', "no link", '</x>; rel="next"; anchor="#a"', ""]
)
async def test_where_no_next_page_is_named_the_pages_end(bench: Bench, link: str) -> None:
    assert (await bench.run(linked(bench, link))).ports["response"] == [1]


@pytest.mark.parametrize("link", ["<>; rel=next", '< >; rel="next", </second>; rel="last"'])
async def test_an_empty_reference_names_the_page_itself_and_is_no_end(bench: Bench, link: str) -> None:
    assert (await bench.fail(linked(bench, link))).code == "PAGINATION_LOOP"


async def test_a_relative_link_leads_on_from_where_the_answer_came(bench: Bench) -> None:
    bench.server.route("GET", "/old", Answer(302, headers={"Location": "/new/first"}))
    bench.server.route("GET", "/new/first", Answer(body=[1], headers={"Link": '<second>; rel="next"'}))
    bench.server.route("GET", "/new/second", Answer(body=[2]))
    config = {"method": "GET", "url": f"{bench.server.url}/old", "pagination": {"next_link": True}}
    assert (await bench.run(config)).ports["response"] == [1, 2]


@pytest.mark.parametrize("page", [Answer(body=b""), Answer(body=b"null", headers={"Content-Type": "application/json"})])
async def test_a_page_that_was_linked_and_is_empty_is_no_end(bench: Bench, page: Answer) -> None:
    config = linked(bench, '</second>; rel="next"')
    assert (await bench.run(config)).ports["response"] == [1, 2]
    bench.server.route("GET", "/second", page)
    assert (await bench.fail(config)).code == "PAGE_WITHOUT_LIST"
    bench.server.route("GET", "/second", Answer(204))
    assert (await bench.run(config)).ports["response"] == [1]


@pytest.mark.parametrize("status", [404, 400])
async def test_a_refusal_behind_the_last_page_says_what_to_write(bench: Bench, url: str, status: int) -> None:
    pages = [Answer(body={"results": [1]}), Answer(status, body={"detail": "Invalid page."})]
    bench.server.route("GET", "/pages", pages)
    counted = {"page": "page", "items": "response.results"}
    config = {"method": "GET", "url": f"{url}/pages", "pagination": counted}
    failure = await bench.fail(config)
    assert (failure.code, failure.details["status"]) == ("HTTP_STATUS", status)
    assert "`pagination.end_statuses`" in failure.message
    bench.server.route("GET", "/pages", pages)
    counted["items"] = "response.results ?? []"
    assert (await bench.run({**config, "accept_statuses": [status]})).ports["response"] == [1]
    bench.server.route("GET", "/pages", Answer(status))
    assert "end_statuses" not in (await bench.fail(config)).message


@pytest.mark.parametrize("status", [404, 400])
@pytest.mark.parametrize("way", [{"page": "page"}, {"offset": "skip"}, {"next": "response.next"}])
async def test_a_status_that_means_the_end_ends_behind_the_first_page_only(
    bench: Bench, url: str, way: dict[str, str], status: int
) -> None:
    config = {
        "method": "GET",
        "url": f"{url}/rows",
        "pagination": {**way, "items": "response.rows", "end_statuses": [status]},
        "response_headers": ["X-Total"],
    }
    first = Answer(body={"rows": [1], "next": "?page=2"}, headers={"X-Total": "1"})
    bench.server.route("GET", "/rows", [first, Answer(status=status, body={"detail": "Invalid page."})])
    ports = (await bench.run(config)).ports
    assert (ports["response"], ports["status"], ports["headers"]) == ([1], 200, {"x-total": "1"})
    bench.server.route("GET", "/rows", [first, Answer(status=403)])
    assert (await bench.fail(config)).details["status"] == 403
    bench.server.route("GET", "/rows", Answer(status=status))
    assert (await bench.fail(config)).details["status"] == status
