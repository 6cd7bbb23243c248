"""The small segments that ship as examples give, in a real worker, exactly the output each of them promises."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.model_server import ModelServer
from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import read_invoices
from examples.return_desk.letters import REF, writer
from examples.return_desk.shop import Shop
from tests.support.platform import Platform, running_platform

FIRST_SEGMENT = Path(__file__).parents[2] / "docs" / "howto" / "first-segment.md"
EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("ask_model", "error_port", "hello", "items", "loop", "parallel_http")
WAITING = ("compensate_and_report", "due_in_days", "partner_callback", "poll_until_done")
"""Shown in ``test_wait_examples.py``, each with a server of its own."""
BUILT = (
    *("approval_loop", "enrich_in_parallel", "invoice_review", "paginated_import", "search_and_answer"),
    *("translate_with_quorum", "triage"),
)
"""Shown in ``test_run_what_people_build.py``, against servers that behave badly."""
ASKING = ("approve_refund",)
"""Shown below: a person decides."""
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(read_invoices(SAMPLE)).open() as shop:
        yield shop


@pytest.fixture(scope="module")
def connections(platform: Platform, shop: Shop) -> Iterator[None]:
    """What the examples ask: a stand-in that repeats its prompt, the letters' own, and the shop."""
    with ModelServer() as models, writer() as letters:
        platform.connect(
            "default", {"kind": "llm", "provider": "openai", "base_url": f"{models.url}/v1", "model": "m-1"}
        )
        platform.connect(REF, letters.connection)
        platform.connect("shop", {"kind": "http", "base_url": shop.url})
        yield


def shown(page: Path, language: str) -> list[str]:
    """The blocks of a page that are in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def read(path: Path) -> dict[str, Any]:
    segment: dict[str, Any] = json.loads(path.read_text())
    return segment


def with_shop(example: dict[str, Any], shop: Shop) -> dict[str, Any]:
    """The example's input, its shop being the one of this test."""
    given: dict[str, Any] = example["input"]
    return {**given, "shop_url": shop.url} if "shop_url" in given else given


def test_none_is_left_out() -> None:
    assert sorted(path.stem for path in (EXAMPLES / "segments").glob("*.json")) == sorted(
        [*NAMES, *WAITING, *BUILT, *ASKING]
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("connections")
def test_a_small_segment_gives_what_it_promises(platform: Platform, shop: Shop, name: str) -> None:
    segment = read(EXAMPLES / "segments" / f"{name}.json")
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    example = segment["metadata"]["example"]
    assert platform.output(segment, with_shop(example, shop)) == example["output"]


@pytest.mark.parametrize(
    ("decision", "changes", "paid"),
    [("approved", {}, 120), ("modified", {"amount": 90.5}, 90.5), ("rejected", {}, None)],
)
def test_a_refund_is_paid_as_a_person_decides(
    platform: Platform, decision: str, changes: dict[str, Any], paid: float | None
) -> None:
    segment = read(EXAMPLES / "segments" / "approve_refund.json")
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    example = segment["metadata"]["example"]
    run = platform.start(segment, example["input"])
    task = platform.task(run)
    assert task["title"] == "Refund of 120 EUR for Ann?"
    changed = {"data": {**task["data"], **changes}} if changes else {}
    platform.complete(task, decision, comment="As agreed.", **changed)
    over = platform.over(run)
    if paid is None:
        assert (over["error"]["code"], over["error"]["message"]) == (
            "REFUND_REFUSED",
            "The refund was refused: As agreed.",
        )
    else:
        assert over["output"] == {"pay": {**example["output"]["pay"], "amount": paid, "decision": decision}}


@pytest.mark.parametrize(
    ("invoice_no", "decision"),
    [("C700021", None), ("C700152", None), ("C700154", "approved"), ("C700156", "rejected")],
)
@pytest.mark.usefixtures("connections")
def test_the_return_desk_decides_the_cases_on_the_edge(
    platform: Platform, shop: Shop, invoice_no: str, decision: str | None
) -> None:
    segment = read(EXAMPLES / "return_desk" / "segment.json")
    verdict = platform.validate(segment)
    assert verdict["valid"]
    assert {found["code"] for found in verdict["findings"]} == {"UNKNOWN_ASSIGNEE"}, "this tenant has no return desk"
    run = platform.start(segment, {"shop_url": shop.url, "invoice_no": invoice_no})
    if decision is not None:
        modified = platform.task(run)
        assert modified["data"]["invoice_no"] == invoice_no
        platform.complete(modified, "modified", data={**modified["data"], "note": "Offer an exchange."})
        again = platform.task(run)
        assert again["task_id"] != modified["task_id"]
        platform.complete(again, decision)
    answer = platform.over(run)["output"]
    expected = "declined" if decision == "rejected" else "refunded"
    assert (answer["invoice_no"], answer["decision"]) == (invoice_no, expected)
    booked = [refund["invoice_no"] for refund in shop.ledger.statement()["refunds"]]  # type: ignore[attr-defined]
    assert booked.count(invoice_no) == (expected == "refunded")


@pytest.mark.usefixtures("connections")
def test_the_support_desk_sorts_looks_up_and_answers(platform: Platform) -> None:
    segment = read(EXAMPLES / "support_desk" / "segment.json")
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    output = platform.output(segment, segment["metadata"]["example"]["input"])
    answer = output["answered"]
    assert (answer["outcome"], answer["topic"]) == ("answered", "delivery")
    assert "The customer has bought for 250" in answer["reply"]
    assert "Where is my parcel?" in answer["reply"]


def test_the_first_segment_of_the_page_does_what_the_page_shows(platform: Platform) -> None:
    written, _valid, invalid, _saved, finished, failed = shown(FIRST_SEGMENT, "json")
    segment = json.loads(written)
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    run = platform.run(segment, {"name": "Ann", "visits": 3})
    assert json.dumps(run["output"]) in finished
    assert platform.output(segment, {"name": "Ann", "visits": 1}) == {"first": "Welcome, Ann"}
    error = platform.run(segment, {"name": "Ann"})["error"]
    assert all(json.dumps(error[name]) in failed for name in ("code", "message", "step_id"))
    segment["edges"][0]["to"] = "agian"
    assert platform.validate(segment)["findings"] == json.loads(invalid.replace(",\n  ...", ""))["findings"]


def test_the_first_journal_of_the_page_is_a_real_one(platform: Platform) -> None:
    run = platform.run(json.loads(shown(FIRST_SEGMENT, "json")[0]), {"name": "Ann", "visits": 3})
    lines = [f"{event['seq']} {event['event_type']} {event['step_id'] or ''}".strip() for event in platform.events(run)]
    assert "\n".join(lines) in FIRST_SEGMENT.read_text()
