"""Segments of the kind people build, each run against servers on loopback that behave badly on the way."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.platform import Platform, running_platform

EXAMPLES = Path(__file__).parents[2] / "examples" / "segments"
AWAY = Answer(503, "busy", {"Retry-After": "0"})
ASKED = "/v1/chat/completions"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


@pytest.fixture
def world() -> Iterator[CountingServer]:
    """A server of its own for each test: no failure of another opens a circuit to it."""
    with CountingServer() as server:
        yield server


def example(
    platform: Platform, world: CountingServer, name: str, **given: Any
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """The segment, its input with what the test knows better, and the output it promises; its model is the world's."""
    ref = f"m{world.port}"
    platform.connect(ref, {"kind": "llm", "provider": "openai", "model": "m-1", "base_url": f"{world.url}/v1"})
    segment = json.loads((EXAMPLES / f"{name}.json").read_text().replace('"llm_ref": "default"', f'"llm_ref": "{ref}"'))
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    shown = segment["metadata"]["example"]
    return segment, {**shown["input"], **given}, shown["output"]


def said(text: str, **more: Any) -> Answer:
    """A whole document, though a stream was asked for."""
    message = {"role": "assistant", "content": text}
    return Answer(body={"model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **more})


def streamed(*pieces: Any, reason: str | None = "stop") -> Answer:
    """A stream whose deltas hold these contents."""
    deltas = [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    chunks = [{"choices": [{"index": 0, **delta}]} for delta in [*deltas, {"delta": {}, "finish_reason": reason}]]
    lines = [*(json.dumps(chunk) for chunk in chunks), "[DONE]"]
    content = "".join(f"data: {line}\n\n" for line in lines)
    return Answer(body=content.encode(), headers={"Content-Type": "text/event-stream"})


def asked_for(call: RecordedRequest) -> str:
    return str(call.json()["messages"][-1]["content"])


def test_messages_are_sorted_by_a_model_that_is_busy_and_thinks_aloud(
    platform: Platform, world: CountingServer
) -> None:
    segment, given, output = example(platform, world, "triage", desk_url=world.url)
    per_minute = {"error": {"code": 429, "message": "Quota exceeded per minute. Please retry in 0.1s."}}
    thought = '<think>{"label": "spam"}?</think>Here it is:\n```json\n{"label": "refund"}\n```'
    world.route("POST", ASKED, [Answer(429, per_minute), said(thought)])
    world.route("POST", "/refunds", [AWAY, Answer(201, {"ticket": "R-1"})])
    assert platform.output(segment, given) == output
    assert world.count("/refunds") == 2
    assert len(world.keys("/refunds")) == 1, "one key, however often it is tried"


@pytest.mark.parametrize(("label", "output"), [("spam", {"junk": {"queue": None}}), ("other", {"desk": ...})])
def test_every_message_goes_some_way(platform: Platform, world: CountingServer, label: str, output: Any) -> None:
    segment, given, _ = example(platform, world, "triage", desk_url=world.url)
    world.route("POST", ASKED, streamed("Sure: ", json.dumps({"label": label})))
    found = platform.output(segment, given)
    assert found == ({"desk": {"queue": "desk", "label": label}} if output == {"desk": ...} else output)
    assert world.count("/refunds") == 0


def test_an_answer_is_made_of_passages_in_a_charset_of_old(platform: Platform, world: CountingServer) -> None:
    segment, given, output = example(platform, world, "search_and_answer", search_url=world.url)
    hits = {"hits": [{"id": "p-1", "text": "Café: 8 to 18"}, {"id": "p-2", "text": "Closed on Mondays"}]}
    content = json.dumps(hits, ensure_ascii=False).encode("iso-8859-1")
    latin = Answer(body=content, headers={"Content-Type": "application/json; charset=ISO-8859-1"})
    world.route("GET", "/search", [AWAY, latin])
    parts = [[{"type": "text", "text": "It is open "}], [{"type": "text", "text": "from 8 to 18."}]]
    world.route("POST", ASKED, streamed(*parts, reason=None))
    assert platform.output(segment, given) == output
    (model_call,) = (call for call in world.calls if call.path == ASKED)
    assert "Café: 8 to 18" in asked_for(model_call)
    assert [call.query["q"] for call in world.calls if call.path == "/search"] == [[given["question"]]] * 2


@pytest.fixture
def invoice(platform: Platform, world: CountingServer) -> Callable[[], tuple[dict[str, Any], dict[str, Any]]]:
    """Starts the review of an invoice; gives its run and the open task."""

    def start() -> tuple[dict[str, Any], dict[str, Any]]:
        segment, given, _ = example(platform, world, "invoice_review")
        read = {"number": 4711, "total": 120.5, "currency": "EUR", "due": None}
        refused = Answer(500, {"error": {"message": "json_schema is not supported"}})
        world.route("POST", ASKED, [refused, said(f"I read:\n{json.dumps(read)}\nAnything else?")])
        run = platform.start(segment, given)
        return run, platform.task(run)

    return start


def test_an_invoice_is_booked_as_it_was_read(platform: Platform, world: CountingServer, invoice: Any) -> None:
    run, task = invoice()
    assert (task["title"], task["data"]["number"]) == ("4711", 4711)
    platform.complete(task, "approved")
    assert platform.over(run)["output"] == example(platform, world, "invoice_review")[2]


def test_an_invoice_is_booked_as_it_was_corrected(platform: Platform, invoice: Any) -> None:
    run, task = invoice()
    platform.complete(task, "modified", data={**task["data"], "total": 99})
    assert platform.over(run)["output"] == {"book": {"number": 4711, "total": 99, "decision": "modified"}}


def test_an_invoice_that_is_refused_fails_the_run_in_words(platform: Platform, invoice: Any) -> None:
    run, task = invoice()
    platform.complete(task, "rejected", comment="Paid already.")
    error = platform.over(run)["error"]
    assert (error["code"], error["message"]) == ("INVOICE_REFUSED", "Invoice 4711 was refused: Paid already.")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_source_that_is_down_leaves_its_place_empty(
    platform: Platform, world: CountingServer, is_there: bool
) -> None:
    segment, given, output = example(platform, world, "enrich_in_parallel", crm_url=world.url)
    page = '<?xml version="1.0"?>'  # a proxy's, under the status of a failure
    company = {"name": "Müller & Söhne"}
    world.route("GET", "/companies/acme.example", [AWAY, Answer(body=company)])
    down = Answer(502, page, {"Content-Type": "text/xml; charset=undefined"})
    world.route("GET", "/news", Answer(body=["Acme moves"]) if is_there else down)
    assert platform.output(segment, given) == {**output, "news": ["Acme moves"] if is_there else []}
    assert world.count("/news") == (1 if is_there else 2)


def test_all_pages_are_imported_though_servers_are_busy_half_way(platform: Platform, world: CountingServer) -> None:
    segment, given, output = example(platform, world, "paginated_import", shop_url=world.url)
    orders = [{"id": f"o/{number}", "total": 10 * number} for number in (1, 2, 3)]
    asked: list[str] = []
    refused = threading.Event()

    def page(request: RecordedRequest) -> Answer:
        number = request.query.get("page", ["1"])[0]
        asked.append(number)
        if number == "2" and asked.count("2") == 1:
            return Answer(429, "slow down", {"Retry-After": "0"})
        if number == "3":
            return Answer(204)
        link = f'<{world.url}/orders?page={int(number) + 1}>; title="Next, please"; rel = "next"'
        return Answer(body=orders[:2] if number == "1" else orders[2:], headers={"Link": link})

    def save(request: RecordedRequest) -> Answer:
        if request.target.endswith("o%2F2") and not refused.is_set():
            refused.set()
            return AWAY
        return Answer(200, " ", {"Content-Type": "application/json"})

    world.route("GET", "/orders", page)
    world.route("PUT", "/imported/*", save)
    assert platform.output(segment, given) == output
    assert set(asked) == {"1", "2", "3"}
    saved = sorted(call.target for call in world.calls if call.method == "PUT")
    assert saved == ["/imported/o%2F1", "/imported/o%2F2", "/imported/o%2F2", "/imported/o%2F3"]


def test_a_text_is_written_again_until_it_is_approved(platform: Platform, world: CountingServer) -> None:
    segment, given, output = example(platform, world, "approval_loop")
    again = streamed("<thi", "nk>Better?</think>Tea is hot ", "and good.")
    world.route("POST", ASKED, [said("Tea."), Answer(body="<html>", headers={"Content-Type": "text/html"}), again])
    run = platform.start(segment, given)
    first = platform.task(run)
    assert (first["title"], first["description"]) == ("Publish a text about tea?", "Tea.")
    platform.complete(first, "rejected", comment="Too short.")
    second = platform.task(run)
    assert second["task_id"] != first["task_id"]
    platform.complete(second, "approved", comment="Better.")
    assert platform.over(run)["output"] == output
    remarks = [asked_for(call).rpartition("remark: ")[2] for call in world.calls]
    assert remarks == ["none", "Too short.", "Too short."]


def test_two_of_three_translations_are_enough(platform: Platform, world: CountingServer) -> None:
    segment, given, output = example(platform, world, "translate_with_quorum")

    def translate(request: RecordedRequest) -> Answer:
        if request.json()["model"] == "m-2":
            return Answer(500, {"error": {"message": "out of memory"}})
        return said("<think>Hm</think>bonjour")

    world.route("POST", ASKED, translate)
    run = platform.run(segment, given)
    assert run["output"] == output
    failed = [step["step_id"] for step in platform.steps(run) if step["status"] == "failed"]
    assert failed in ([], ["second"]), "it may still be trying when two have answered"
