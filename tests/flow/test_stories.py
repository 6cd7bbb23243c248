"""Whole stories: a segment and an input go in through HTTP, a real worker runs them, exactly one output comes out."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.best_tries import least_of
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.platform import Platform, running_platform, seconds_between
from tests.support.process_ends import eventually
from tests.support.stand_in_catalog import document

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


def gathered(*ports: str) -> dict[str, Any]:
    return {"step": {"ports": {"input": list(ports)}}}


def side_by_side(left: dict[str, Any], right: dict[str, Any], join: dict[str, Any], then: str) -> dict[str, Any]:
    """Two requests, or two expressions, at once; joined, and then an expression over what the join gives."""
    kind = ":http_action" if "url" in left else ""
    return document(
        {
            "split:parallel_split": {},
            f"left{kind}": left,
            f"right{kind}": right,
            "join:parallel_join": join,
            "end": {"expression": then},
        },
        ["split.branch_1 -> left", "split.branch_2 -> right", *JOINED],
    )


JOINED = ["left -> join.branch_1", "right -> join.branch_2", "join -> end"]


def started(platform: Platform, run: dict[str, Any]) -> list[str]:
    return [step["step_id"] for step in platform.steps(run)]


def test_nested_splits_give_nested_lists(platform: Platform) -> None:
    segment = document(
        {
            "outer:parallel_split": {"branches": 2},
            "inner:parallel_split": {"branches": 3},
            "a": {"expression": "input.n + 1"},
            "b": {"expression": "input.n * 10"},
            "c": {"expression": "input.n ** 2"},
            "inner_join:parallel_join": {},
            "d": {"expression": "-input.n"},
            "outer_join:parallel_join": {},
        },
        [
            "outer.branch_1 -> inner",
            "outer.branch_2 -> d",
            "inner.branch_1 -> a",
            "inner.branch_2 -> b",
            "inner.branch_3 -> c",
            "c -> inner_join.branch_3",
            "a -> inner_join.branch_1",
            "b -> inner_join.branch_2",
            "inner_join -> outer_join.branch_1",
            "d -> outer_join.branch_2",
        ],
    )
    assert platform.output(segment, {"n": 7}) == [[49, 8, 70], -7]


ORDERS = document(
    {
        "orders:parallel_split": {"items": "input.orders"},
        "lines:parallel_split": {"items": "item.lines"},
        "price": {"expression": "item.quantity * item.price"},
        "line_sums:parallel_join": {},
        "order": {"expression": "{'order': item.id, 'place': index, 'sums': input, 'total': sum(input)}"},
        "all:parallel_join": {},
        "total": {"expression": "{'orders': input, 'total': sum([order.total for order in input])}"},
    },
    [
        "orders.branch_1 -> lines",
        "lines.branch_1 -> price",
        "price -> line_sums",
        "line_sums -> order",
        "order -> all",
        "all -> total",
    ],
)


def test_items_of_items_are_summed_up_item_by_item(platform: Platform) -> None:
    orders = [
        {"id": "o-1", "lines": [{"quantity": 2, "price": 30}, {"quantity": 1, "price": 5}]},
        {"id": "o-2", "lines": []},
        {"id": "o-3", "lines": [{"quantity": 4, "price": 25}]},
    ]
    run = platform.run(ORDERS, {"orders": orders})
    assert run["output"] == {
        "orders": [
            {"order": "o-1", "place": 0, "sums": [60, 5], "total": 65},
            {"order": "o-2", "place": 1, "sums": [], "total": 0},
            {"order": "o-3", "place": 2, "sums": [100], "total": 100},
        ],
        "total": 165,
    }, run["error"]
    counts = {step_id: started(platform, run).count(step_id) for step_id in ("lines", "price", "line_sums", "all")}
    assert counts == {"lines": 3, "price": 3, "line_sums": 3, "all": 1}


def test_an_empty_list_of_items_goes_straight_to_the_join(platform: Platform) -> None:
    run = platform.run(ORDERS, {"orders": []})
    assert run["output"] == {"orders": [], "total": 0}, run["error"]
    assert started(platform, run) == ["orders", "all", "total"]


def test_results_of_items_keep_the_order_of_the_items_however_they_finish(
    platform: Platform, world: CountingServer
) -> None:
    may_answer = {name: threading.Event() for name in "abc"}

    def late_when_early(request: RecordedRequest) -> Answer:
        name = request.path.rpartition("/")[2]
        return Answer(body={"name": name, "came": may_answer[name].wait(60)})

    def answered() -> list[int]:
        return [event["activation"] for event in platform.events(run) if event["event_type"] == "action.completed"]

    world.route("GET", "/names/*", late_when_early)
    steps = {
        "names:parallel_split": {"items": "input"},
        "ask:http_action": {"method": "GET", "url": f"{world.url}/names/{{{{ item }}}}"},
        "all:parallel_join": {},
        "list": {"expression": "[answer.name for answer in input]"},
    }
    segment = document(steps, ["names.branch_1 -> ask", "ask -> all", "all -> list"])
    run = platform.start(segment, ["a", "b", "c"])
    assert eventually(lambda: world.count() == 3, seconds=60)
    for count, name in enumerate("cba", start=1):
        may_answer[name].set()
        assert eventually(lambda count=count: len(answered()) == count, seconds=60)
    assert platform.over(run)["output"] == ["a", "b", "c"]
    assert answered() == [3, 2, 1], "they finish in the other order"


def test_a_condition_counts_a_loop_and_every_pass_splits_and_joins_anew(platform: Platform) -> None:
    segment = document(
        {
            "start": {"expression": "{'n': 0, 'log': []}"},
            "split:parallel_split": {},
            "count": {"expression": "input.n + 1"},
            "note": {"expression": "[*input.log, input.n * 100]"},
            "join:parallel_join": {},
            "merge": {"expression": "{'n': input[0], 'log': input[1]}"},
            "more:condition": {"expression": "input.n < run.input.limit"},
            "end": {"expression": "input"},
        },
        [
            "start -> split",
            "split.branch_1 -> count",
            "split.branch_2 -> note",
            "count -> join.branch_1",
            "note -> join.branch_2",
            "join -> merge",
            "merge -> more",
            "more.true -> split",
            "more.false -> end",
        ],
    )
    run = platform.run(segment, {"limit": 4})
    assert run["output"] == {"n": 4, "log": [0, 100, 200, 300]}, run["error"]
    joins = [step for step in platform.steps(run) if step["step_id"] == "join"]
    assert [step["activation"] for step in joins] == [1, 2, 3, 4]


def test_a_call_that_fails_twice_is_repeated_with_its_key_and_succeeds(
    platform: Platform, world: CountingServer
) -> None:
    world.route("POST", "/pay", [Answer(503), Answer(429), Answer(201, body={"receipt": 17})])
    retry = {"max_attempts": 3, "initial_seconds": 0.05, "factor": 1, "max_seconds": 0.05}
    segment = document(
        {
            "pay:http_action": {"url": f"{world.url}/pay", "step": {"retry": retry}},
            "receipt": {"expression": "input.receipt"},
        },
        ["pay -> receipt"],
    )
    run = platform.run(segment, {"amount": 12})
    assert run["output"] == 17, run["error"]
    assert [call.json() for call in world.calls] == [{"amount": 12}] * 3
    assert list(world.keys("/pay").values()) == [3]
    (pay, _receipt) = platform.steps(run)
    assert (pay["status"], pay["attempts"]) == ("completed", 3)
    types = [event["event_type"] for event in platform.events(run) if event["step_id"] == "pay"]
    assert types == [
        *["step.started", "action.started", "action.failed", "step.retrying"] * 2,
        *["step.started", "action.started", "action.completed", "step.completed"],
        *["data.produced"] * 2,
    ]


def test_a_failure_with_a_way_out_leaves_by_its_error_port(platform: Platform, world: CountingServer) -> None:
    world.route("GET", "/customers/9", Answer(404, body={"reason": "moved away"}))
    segment = document(
        {
            "ask:http_action": {"method": "GET", "url": f"{world.url}/customers/9"},
            "found": {"expression": "'found'"},
            "absent": {"expression": "[input.code, input.step_id, input.details.response.reason]"},
        },
        ["ask.response -> found", "ask.error -> absent"],
    )
    run = platform.run(segment)
    assert run["output"] == {"absent": ["HTTP_STATUS", "ask", "moved away"]}, run["error"]
    assert [(step["step_id"], step["status"]) for step in platform.steps(run)] == [
        ("ask", "failed"),
        ("absent", "completed"),
    ]


def test_a_failure_without_a_way_out_fails_the_run_and_names_the_step(
    platform: Platform, world: CountingServer
) -> None:
    world.route("GET", "/customers/9", Answer(404))
    segment = document(
        {"ask:http_action": {"method": "GET", "url": f"{world.url}/customers/9"}, "end": {}}, ["ask -> end"]
    )
    run = platform.run(segment)
    assert (run["status"], run["output"]) == ("failed", None)
    assert (run["error"]["code"], run["error"]["step_id"], run["error"]["attempts"]) == ("HTTP_STATUS", "ask", 1)
    assert started(platform, run) == ["ask"]


def test_the_fastest_of_a_race_wins_and_the_slow_call_is_cancelled(platform: Platform, world: CountingServer) -> None:
    world.route("GET", "/slow", Answer(body="slow", delay_seconds=20))
    world.route("GET", "/fast", Answer(body="fast"))
    slow, fast = ({"method": "GET", "url": f"{world.url}/{name}"} for name in ("slow", "fast"))
    segment = side_by_side(slow, fast, {"merge_strategy": "any"}, "'the winner is ' + input")
    run = platform.run(segment)
    assert run["output"] == "the winner is fast", run["error"]
    events = platform.events(run)
    assert seconds_between(events[0], events[-1]) < 10
    assert world.count("/slow") == 1, "the slow call was made"
    (skipped,) = (event for event in events if event["event_type"] == "step.skipped")
    assert (skipped["step_id"], skipped["payload"]["effect"]) == ("left", "unknown")
    assert {step["step_id"]: step["status"] for step in platform.steps(run)}["left"] == "skipped"


def test_two_ports_of_a_call_lead_into_one_step(platform: Platform, world: CountingServer) -> None:
    world.route("GET", "/price", Answer(203, body={"price": 5}))
    segment = document(
        {
            "ask:http_action": {"method": "GET", "url": f"{world.url}/price"},
            "both": {
                "expression": "[price_list.price, http_status, input.http_status, inputs.price_list]",
                **gathered("price_list", "http_status"),
            },
        },
        ["ask.status -> both.http_status", "ask.response -> both.price_list"],
    )
    run = platform.run(segment)
    assert run["output"] == [5, 203, 203, {"price": 5}], run["error"]
    assert started(platform, run) == ["ask", "both"]


@pytest.mark.parametrize(
    ("total", "way"), [(2000, "manager"), (500, "clerk"), (20, "nobody"), (1000, "clerk"), (100, "nobody")]
)
def test_conditions_on_edges_decide_and_else_takes_the_rest(platform: Platform, total: int, way: str) -> None:
    segment = document(
        {
            "order": {"expression": "{'total': input.total, 'vat': input.total * 0.19}"},
            "manager": {"expression": "['manager', input.total]"},
            "clerk": {"expression": "['clerk', input.total]"},
            "nobody": {"expression": "['nobody', input.total]"},
            "end": {"expression": "input"},
        },
        [
            "order -> manager ? output.total > 1000",
            "order -> clerk ? output.total > 100 and output.total <= 1000",
            "order -> nobody ? else",
            "manager -> end",
            "clerk -> end",
            "nobody -> end",
        ],
    )
    run = platform.run(segment, {"total": total})
    assert run["output"] == [way, total], run["error"]
    assert started(platform, run) == ["order", way, "end"]


def test_a_port_that_gets_nothing_new_in_a_loop_keeps_its_last_value(platform: Platform) -> None:
    segment = document(
        {
            "start:parallel_split": {},
            "rate": {"expression": "input.rate"},
            "capital": {"expression": "input.capital"},
            "year": {"expression": "capital + capital * rate / 100", **gathered("rate", "capital")},
            "enough:condition": {"expression": "input < run.input.goal"},
            "end": {"expression": "round(input, 2)"},
        },
        [
            "start.branch_1 -> rate",
            "start.branch_2 -> capital",
            "rate -> year.rate",
            "capital -> year.capital",
            "year -> enough",
            "enough.true -> year.capital",
            "enough.false -> end",
        ],
    )
    run = platform.run(segment, {"rate": 50, "capital": 100, "goal": 500})
    assert run["output"] == 506.25, run["error"]
    years = [step for step in platform.steps(run) if step["step_id"] == "year"]
    assert [step["inputs"]["capital"] for step in years] == [100, 150, 225, 337.5]
    assert [step["inputs"]["rate"] for step in years] == [50] * 4


def test_a_quorum_goes_on_with_the_successes_it_needs(platform: Platform, world: CountingServer) -> None:
    world.route("GET", "/votes/yes", Answer(body="yes"))
    world.route("GET", "/votes/ill", Answer(404))
    world.route("GET", "/votes/late", Answer(body="late", delay_seconds=20))
    world.route("GET", "/votes/too", Answer(body="too", delay_seconds=0.2))
    voters = ["yes", "ill", "late", "too"]
    segment = document(
        {
            "split:parallel_split": {"branches": 4},
            **{f"{name}:http_action": {"method": "GET", "url": f"{world.url}/votes/{name}"} for name in voters},
            "votes:parallel_join": {"merge_strategy": "quorum", "count": 2},
        },
        [
            *(f"split.branch_{number} -> {name}" for number, name in enumerate(voters, start=1)),
            *(f"{name} -> votes.{name}" for name in voters),
        ],
    )
    run = platform.run(segment)
    assert run["output"] == ["yes", "too"], run["error"]
    assert {step["step_id"]: step["status"] for step in platform.steps(run)} == {
        "split": "completed",
        "yes": "completed",
        "ill": "failed",
        "late": "skipped",
        "too": "completed",
        "votes": "completed",
    }


def test_a_branch_not_taken_does_not_make_the_join_wait(platform: Platform) -> None:
    segment = document(
        {
            "split:parallel_split": {},
            "ask:condition": {"expression": "input.extra"},
            "extra": {"expression": "'extra'"},
            "base": {"expression": "'base'"},
            "join:parallel_join": {},
        },
        [
            "split.branch_1 -> ask",
            "ask.true -> extra",
            "split.branch_2 -> base",
            "extra -> join.branch_1",
            "base -> join.branch_2",
        ],
    )
    assert platform.output(segment, {"extra": True}) == ["extra", "base"]
    assert platform.output(segment, {"extra": False}) == ["base"]


def test_a_failed_branch_fails_the_join_and_the_join_may_route_it(platform: Platform) -> None:
    segment = side_by_side({"expression": "1"}, {"expression": "1 // input.zero"}, {}, "sum(input)")
    assert platform.output(segment, {"zero": 1}) == 2
    failed = platform.run(segment, {"zero": 0})
    assert (failed["status"], failed["error"]["code"], failed["error"]["step_id"]) == (
        "failed",
        "BRANCH_FAILED",
        "join",
    )
    segment["steps"].append({"step_id": "rescue", "type": "transform", "config": {"expression": "input.code"}})
    segment["edges"].append({"from": "join", "from_port": "error", "to": "rescue"})
    assert platform.output(segment, {"zero": 0}) == {"rescue": "BRANCH_FAILED"}


def test_two_calls_of_half_a_second_end_within_point_eight(platform: Platform, world: CountingServer) -> None:
    world.route("GET", "/half", Answer(body={"n": 1}, delay_seconds=0.5))
    half = {"method": "GET", "url": f"{world.url}/half"}
    segment = side_by_side(half, half, {}, "input[0].n + input[1].n")

    def seconds() -> float:
        run = platform.run(segment)
        assert run["output"] == 2, run["error"]
        first, *_, last = platform.events(run)
        return seconds_between(first, last)

    assert least_of(seconds, below=0.8) >= 0.5
