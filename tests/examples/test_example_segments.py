"""The segments that ship as examples are drawn as canvases draw them."""

import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(path for path in EXAMPLES.glob("**/*.json") if path.parent.name != "n8n")


def read(path: Path) -> dict[str, Any]:
    segment: dict[str, Any] = json.loads(path.read_text())
    return segment


def test_there_are_eighteen_small_ones_two_whole_ones_and_the_greeting() -> None:
    assert [path.relative_to(EXAMPLES).as_posix() for path in FILES] == [
        "greeting_step/segment.json",
        "return_desk/segment.json",
        "segments/approval_loop.json",
        "segments/approve_refund.json",
        "segments/ask_model.json",
        "segments/compensate_and_report.json",
        "segments/due_in_days.json",
        "segments/enrich_in_parallel.json",
        "segments/error_port.json",
        "segments/hello.json",
        "segments/invoice_review.json",
        "segments/items.json",
        "segments/loop.json",
        "segments/paginated_import.json",
        "segments/parallel_http.json",
        "segments/partner_callback.json",
        "segments/poll_until_done.json",
        "segments/search_and_answer.json",
        "segments/translate_with_quorum.json",
        "segments/triage.json",
        "support_desk/segment.json",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_edge_joins_ports_that_its_steps_show(path: Path) -> None:
    segment = read(path)
    steps = {step["step_id"]: step for step in segment["steps"]}
    assert segment["entrypoint"] in steps
    for edge in segment["edges"]:
        assert edge["from_port"] in steps[edge["from"]]["ports"]["output"]
        assert edge["to_port"] in steps[edge["to"]]["ports"]["input"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_segment_shows_an_input_its_own_schema_names(path: Path) -> None:
    segment = read(path)
    assert set(segment["metadata"]["example"]["input"]) == set(segment["input_schema"]["required"])


def test_the_table_of_the_small_ones_names_each_file() -> None:
    table = (EXAMPLES / "segments" / "README.md").read_text()
    assert {path.name for path in FILES if path.parent.name == "segments"} <= set(table.replace("[", "]").split("]"))
