"""The small segments that ship as examples give, in a real worker, exactly the output each of them promises."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import read_invoices
from examples.return_desk.shop import Shop
from tests.support.platform import Platform, running_platform

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("error_port", "hello", "items", "loop", "parallel_http")
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(read_invoices(SAMPLE)).open() as shop:
        yield shop


def read(path: Path) -> dict[str, Any]:
    segment: dict[str, Any] = json.loads(path.read_text())
    return segment


def with_shop(example: dict[str, Any], shop: Shop) -> dict[str, Any]:
    """The example's input, its shop being the one of this test."""
    given: dict[str, Any] = example["input"]
    return {**given, "shop_url": shop.url} if "shop_url" in given else given


def test_none_is_left_out() -> None:
    assert sorted(path.stem for path in (EXAMPLES / "segments").glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_small_segment_gives_what_it_promises(platform: Platform, shop: Shop, name: str) -> None:
    segment = read(EXAMPLES / "segments" / f"{name}.json")
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    example = segment["metadata"]["example"]
    assert platform.output(segment, with_shop(example, shop)) == example["output"]


@pytest.mark.parametrize(
    ("invoice_no", "decision"),
    [("C700021", "refunded"), ("C700152", "refunded"), ("C700154", "held"), ("C700156", "held")],
)
def test_the_return_desk_decides_the_cases_on_the_edge(
    platform: Platform, shop: Shop, invoice_no: str, decision: str
) -> None:
    segment = read(EXAMPLES / "return_desk" / "segment.json")
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    output = platform.output(segment, {"shop_url": shop.url, "invoice_no": invoice_no})
    (answer,) = output.values()
    assert (answer["invoice_no"], answer["decision"]) == (invoice_no, decision)
    booked = [refund["invoice_no"] for refund in shop.ledger.statement()["refunds"]]  # type: ignore[attr-defined]
    assert booked.count(invoice_no) == (decision == "refunded")
