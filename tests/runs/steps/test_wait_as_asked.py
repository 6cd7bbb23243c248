"""How long hosts ask to wait, in all their spellings; which statuses are answers of a host that may be asked again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runs.step_api.retry_after import retry_after_seconds, seconds_to_wait
from tests.support.http_bench import Bench
from tests.support.http_server import Answer

SOON = 40


def at(seconds: float = SOON) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


SPELLINGS: list[Callable[[], str]] = [
    lambda: "40",
    lambda: "40.5",
    lambda: " 40 ",
    lambda: "40s",
    lambda: "0m40s",
    lambda: "40000ms",
    lambda: str(int(at().timestamp())),
    lambda: f"{at().timestamp():.3f}",
    lambda: str(int(at().timestamp() * 1_000)),
    lambda: format_datetime(at(), usegmt=True),
    lambda: at().strftime("%A, %d-%b-%y %H:%M:%S GMT"),
    lambda: at().ctime(),
    lambda: at().replace(day=3, month=1, year=at().year).ctime() + ", 40",
    lambda: format_datetime(at()).replace("GMT", "+0000"),
    lambda: at().strftime("%a, %d %b %Y %H:%M:%S"),
    lambda: at().strftime("%d %b %Y %H:%M:%S GMT"),
    lambda: (at() - timedelta(hours=5)).strftime("%a, %d %b %Y %H:%M:%S EST"),
    lambda: '"40"',
    lambda: f'"{format_datetime(at(), usegmt=True)}"',
    lambda: "40, 40",
    lambda: "7, 40",
    lambda: "40,7, soon",
    lambda: f"{format_datetime(at(), usegmt=True)}, {format_datetime(at(7), usegmt=True)}",
    lambda: f"7, {format_datetime(at(), usegmt=True)}",
    lambda: "PT40S",
    lambda: "PT0M40S",
    lambda: "40 seconds",
    lambda: "0 minutes, 40 seconds",
    lambda: at().strftime("%Y-%m-%d %H:%M:%S"),
    lambda: at().isoformat(),
    lambda: at().strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda: at().strftime("%Y-%m-%dT%H:%M:%S"),
    lambda: (at() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "fields",
    [
        ["Retry-After"],
        ["X-RateLimit-Remaining", "X-RateLimit-Reset"],
        ["RateLimit-Remaining", "RateLimit-Reset"],
        ["X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"],
        ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ["vendor-ratelimit-tokens-remaining", "vendor-ratelimit-tokens-reset"],
        ["x-ratelimitbysize-remaining-minute", "x-ratelimitbysize-reset-minute"],
    ],
)
@pytest.mark.parametrize("status", [403, 429])
async def test_a_host_is_waited_for_as_it_spells_it(
    bench: Bench, url: str, status: int, fields: list[str], spelling: Callable[[], str]
) -> None:
    headers = dict.fromkeys(fields[:-1], "0") | {fields[-1]: spelling()}
    bench.server.route("GET", "/limited", Answer(status=status, headers=headers))
    failure = await bench.fail({"method": "GET", "url": f"{url}/limited"})
    assert failure.retryable
    assert failure.retry_after_seconds == pytest.approx(SOON, abs=2)


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ('"default";r=0;t=9', 9),
        ('"default";t=9;r=0', 9),
        ('"burst";r=0;t=2, "day";r=0;t=30', 30),
        ('"burst";r=7;t=2, "day";r=0;t=30', 30),
        ("limit=10, remaining=0, reset=2", 2),
        ("limit=10;remaining=0;reset=2.5", 2.5),
        ('"default";r=3;t=9', None),
        ("limit=10, remaining=1, reset=2", None),
        ("limit=10, remaining=0", None),
        ("=" * 5_000, None),
    ],
)
def test_a_field_of_limits_is_read_in_both_its_forms(field: str, seconds: float | None) -> None:
    assert seconds_to_wait({"ratelimit": field}) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "1e9",
        "99999-01-01T00:00:00Z",
        "Sun, 99 Nov 2026",
        "h",
        "PT",
        ",",
        '"',
        "soon, later",
        "Mon, 30 Nov 2099 18:43:20 XYZ",
    ],
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert retry_after_seconds("7") == 7
    assert retry_after_seconds(text) is None


@pytest.mark.parametrize("digits", [14, 20, 40])
def test_a_number_beyond_all_times_asks_for_the_longest_wait(digits: int) -> None:
    assert retry_after_seconds("9" * digits) == 1e9


def test_a_time_that_is_over_asks_for_no_wait() -> None:
    assert retry_after_seconds(str(int(at(-60).timestamp()))) == 0
    assert retry_after_seconds(at(-60).isoformat()) == 0


@pytest.mark.parametrize("status", [600, 799, 999])
async def test_a_status_nobody_knows_is_no_reason_to_ask_again(bench: Bench, url: str, status: int) -> None:
    bench.server.route("GET", "/odd", [Answer(status=599), Answer(status=status)])
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.retryable, failure.host_failed) == (True, True)
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", False, False)
    assert failure.details["status"] == status
