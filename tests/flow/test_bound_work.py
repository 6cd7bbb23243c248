"""One tenant's pure work never holds what all tenants share: it is done elsewhere, or refused, and the others go on."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from devserver.processes import free_port
from tenants.services import create_api_key, create_tenant
from tests.support.best_tries import least_of
from tests.support.cost import slowness
from tests.support.definitions import steps_in_a_row
from tests.support.http_server import Answer, CountingServer
from tests.support.platform import Platform, running_platform
from tests.support.process_ends import eventually
from tests.support.sampling import sampled
from tests.support.server import NO_TLS
from tests.support.stand_in_catalog import document

pytestmark = pytest.mark.django_db

HEAVY = "sum(a * b for a in run.input.n for b in run.input.n)"
"""Some 50,000 units of fuel: nearly what one expression may do by itself."""
INPUT = {"n": list(range(125)), "text": "x" * 50_000, "long": list(range(10_000))}
MOST_SECONDS = 3.0
"""For a neighbour's run of some tenths of a second, on machines with much else to do. Unbounded it was up to 12 s."""
METRICS = f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key, WORKER_METRICS_ADDRESS=METRICS, COMPUTE_SECONDS="1") as running:
        yield running


@pytest.fixture(scope="module")
def neighbour(platform: Platform) -> Iterator[Platform]:
    """Another tenant on the same processes."""
    key = create_api_key(tenant=create_tenant(slug="globex", name="Globex"), name="tests").text
    headers = {"X-API-Key": key}
    with httpx.Client(base_url=platform.caller.base_url, headers=headers, timeout=60, verify=NO_TLS) as caller:
        yield Platform(caller)


def metric(name: str, **labels: str) -> float:
    """What the worker counts."""
    families = text_string_to_metric_families(httpx.get(f"http://{METRICS}/metrics", verify=NO_TLS).text)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def held_too_long() -> float:
    """How often the worker's loop has worked for over 50 ms in one turn: 20 ms, and room for a slow machine."""
    name = "llmteam_loop_long_turn_seconds"
    return metric(f"{name}_count", cause="work") - metric(f"{name}_bucket", cause="work", le="0.05")


def heavy(number: int) -> str:
    """An expression of its own that does nearly as much as one may."""
    return f"{number} + {HEAVY}"


def wide(source: dict[str, Any], kind: str, conditions: list[str]) -> dict[str, Any]:
    """A step with a conditional edge to an end of its own for each condition."""
    ends = {f"end_{number}": {"expression": "1"} for number in range(len(conditions))}
    edges = [f"source -> end_{number} ? {condition}" for number, condition in enumerate(conditions)]
    return document({f"source:{kind}": source, **ends}, edges)


def nested(text: str, depth: int) -> Any:
    value: Any = text
    for _ in range(depth):
        value = {"in": value}
    return value


REFUSED = {
    "3,000 expressions in a mapping": document(
        {"step": {"mapping": {f"f{number}": heavy(number) for number in range(3_000)}}}
    ),
    "300 templates in a config": document(
        {"step": {"mapping": {}, "default": [f"{{{{ {heavy(number)} }}}} and more" for number in range(300)]}}
    ),
    "300 conditions of edges": wide(
        {"expression": "1"}, "transform", [f"{heavy(number)} < 0" for number in range(300)]
    ),
    "300 deep templates": document(
        {"step": {"mapping": {}, "default": [nested(f"{{{{ {heavy(number)} }}}} x", 40) for number in range(300)]}}
    ),
}
COMPLETED = {
    "1,000 small expressions": document(
        {"step": {"mapping": {f"f{number}": f"{number} + input.n[3] * 2" for number in range(1_000)}}}
    ),
    "a round of many steps": document(
        {
            "split:parallel_split": {"branches": 50},
            **{f"s{number}": {"expression": f"{number} + sum(a * 2 for a in run.input.n)"} for number in range(50)},
            "join:parallel_join": {},
        },
        [
            *(f"split.branch_{number + 1} -> s{number}" for number in range(50)),
            *(f"s{number} -> join.branch_{number + 1}" for number in range(50)),
        ],
    ),
    "items by the thousand": document(
        {
            "split:parallel_split": {"items": "input.long[:900]"},
            "one": {"expression": "item * 2"},
            "join:parallel_join": {},
            "end": {"expression": "len(input)"},
        },
        ["split -> one", "one -> join", "join -> end"],
    ),
    "as many items as a split may have": document(
        {
            "split:parallel_split": {"items": "input.long[:5000]"},
            "one": {"expression": "item"},
            "join:parallel_join": {},
            "end": {"expression": "len(input)"},
        },
        ["split -> one", "one -> join", "join -> end"],
        params={"max_activations": 5_000},
    ),
    "a search in a long list": document(
        {"step:condition": {"field": "input.long", "operator": "contains", "value": -1}}
    ),
}


def to_its_end(platform: Platform, segment: dict[str, Any]) -> dict[str, Any]:
    """Run a segment, however long a machine with much else to do takes for it."""
    run = platform.start(segment, INPUT)
    url = f"/api/v1/runs/{run['run_id']}?wait=30&until=over"
    assert eventually(lambda: platform.caller.get(url).json()["ended_at"], seconds=90)
    return platform.look(run)


@contextmanager
def others_go_on(neighbour: Platform) -> Iterator[None]:
    """A neighbour starts small runs, each soon after the one before, and none is slow."""
    small = steps_in_a_row(*["input"] * 5)
    seconds: list[float] = []
    stop = threading.Event()

    def go_on_once() -> None:
        began = time.monotonic()
        assert neighbour.output(small, 1) == 1
        seconds.append(time.monotonic() - began)

    def go() -> None:
        go_on_once()
        while not stop.wait(0.1):
            go_on_once()

    for _ in range(3):
        go_on_once()
    alone = max(seconds)

    with ThreadPoolExecutor(1) as neighbours:
        going_on = neighbours.submit(go)
        try:
            yield
        finally:
            stop.set()
        going_on.result()
    print(f"a neighbour's run: at most {alone:.2f} s alone, {max(seconds[3:]):.2f} s beside the attack")
    assert max(seconds[3:]) < max(MOST_SECONDS, 5 * alone)


def attack(platform: Platform, neighbour: Platform, segment: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Run a segment while others go on; also how often the loop was held too long meanwhile."""
    before = held_too_long()
    with others_go_on(neighbour):
        run = to_its_end(platform, segment)
    return run, held_too_long() - before


def attack_that_holds_nothing(platform: Platform, neighbour: Platform, segment: dict[str, Any]) -> dict[str, Any]:
    """Run a segment while others go on; no turn of the loop is too long.

    A virtual machine that stands still for a moment counts as processor time of whoever ran in it: that does not come
    again, as what an attack does would. Measured on one of them: 13 ms within two reads of the clock, where the loop
    worked for 2 ms in its longest turn of an attack.
    """
    run, held = attack(platform, neighbour, segment)
    if held:
        assert [attack(platform, neighbour, segment)[1] for _ in range(2)] == [0, 0], "the loop was held again"
    return run


@pytest.mark.parametrize("name", sampled(REFUSED, one_in=4))
def test_what_takes_too_much_is_refused_and_holds_up_nobody(platform: Platform, neighbour: Platform, name: str) -> None:
    run = attack_that_holds_nothing(platform, neighbour, REFUSED[name])
    assert (run["status"], run["error"]["code"]) == ("failed", "COMPUTE_LIMIT"), run["error"]
    assert "take too much" in run["error"]["message"] or "takes too much" in run["error"]["message"]
    assert "1 s of processor time" in run["error"]["message"] or "longer than 6 s" in run["error"]["message"]


@pytest.mark.parametrize("name", sampled(COMPLETED, one_in=4))
def test_what_takes_much_completes_and_holds_up_nobody(platform: Platform, neighbour: Platform, name: str) -> None:
    run = attack_that_holds_nothing(platform, neighbour, COMPLETED[name])
    assert run["status"] == "completed", run["error"]


ANSWERS = {"lists": (b"[]", 700_000, "response[1]"), "objects": (b'{"a":1}', 300_000, "len(response)")}
"""What each holds and how often, 2 MiB: read within the second of processor time that there is here."""


@pytest.mark.parametrize("name", sampled(ANSWERS, one_in=4))
def test_what_a_host_answers_holds_up_nobody(platform: Platform, neighbour: Platform, name: str) -> None:
    item, count, select = ANSWERS[name]
    body = b"[%s]" % b",".join([item] * int(count / slowness()))  # as much as a machine that is slow now reads
    with CountingServer() as server:
        server.route("GET", "/", Answer(body=body, headers={"Content-Type": "application/json"}))
        config = {"method": "GET", "url": f"{server.url}/", "select": select}
        run = attack_that_holds_nothing(platform, neighbour, document({"call:http_action": config}))
    assert run["status"] == "completed", run["error"]


def test_small_work_never_leaves_the_loop(platform: Platform) -> None:
    before = metric("llmteam_compute_seconds_count")
    small = steps_in_a_row("input + 1", "{'n': input}", "input.n * 2")
    assert platform.output(small, 1) == 4
    assert metric("llmteam_compute_seconds_count") == before
    assert platform.output(steps_in_a_row(HEAVY), INPUT) == sum(range(125)) ** 2
    assert metric("llmteam_compute_seconds_count") > before


GROUPED = "{k: sum(r.v for r in v) for k, v in items(group_by(input.rows, 'g'))}"


@pytest.mark.parametrize(
    ("expression", "output"),
    [
        ("sum(r.v * 2 for r in input.rows)", 2 * sum(range(20_000))),
        (GROUPED, {f"g{g}": sum(range(g, 20_000, 5)) for g in range(5)}),
        ("len([{**r, 'n': 1} for r in input.rows])", 20_000),
    ],
)
def test_what_people_write_over_many_rows_completes(platform: Platform, expression: str, output: Any) -> None:
    rows = [{"v": number, "g": f"g{number % 5}"} for number in range(20_000)]
    assert platform.output(steps_in_a_row(expression), {"rows": rows}) == output


def test_what_was_too_large_for_the_loop_is_not_tried_there_by_the_next(platform: Platform) -> None:
    segment, small = steps_in_a_row(f"{HEAVY} + 0"), {"n": [1]}
    platform.output(segment, INPUT)
    begun = metric("llmteam_compute_seconds_count")
    assert [platform.output(segment, small) for _ in range(3)] == [1] * 3
    assert metric("llmteam_compute_seconds_count") == begun + 1


def test_a_killed_process_is_replaced(platform: Platform) -> None:
    killed = metric("llmteam_compute_killed_total", reason="time")
    assert to_its_end(platform, REFUSED["3,000 expressions in a mapping"])["error"]["code"] == "COMPUTE_LIMIT"
    assert metric("llmteam_compute_killed_total", reason="time") > killed
    assert platform.output(steps_in_a_row(HEAVY), INPUT) == sum(range(125)) ** 2


def test_a_run_whose_work_is_elsewhere_is_cancelled_at_once(platform: Platform) -> None:
    def seconds() -> float:
        run = platform.start(REFUSED["3,000 expressions in a mapping"], INPUT)
        assert eventually(lambda: metric("llmteam_compute_running") >= 1, seconds=60)
        began = time.monotonic()
        platform.caller.post(f"/api/v1/runs/{run['run_id']}/cancel", json={})
        assert platform.over(run)["status"] == "cancelled"
        return time.monotonic() - began

    least_of(seconds, below=2.5)
