"""Workflows for n8n: whole, of known nodes, and calling routes that the API has."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.urls import resolve

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "examples" / "n8n").glob("*.json"))
VERSIONS = {
    "manualTrigger": 1,
    "httpRequest": 4.2,
    "wait": 1.1,
    "if": 2.2,
    "noOp": 1,
    "stopAndError": 1,
    "splitInBatches": 3,
}
ORIGIN = "https://llmteam.example.com"


def nodes_of(file: Path, kind: str = "") -> list[dict[str, Any]]:
    nodes = json.loads(file.read_text(encoding="utf-8"))["nodes"]
    return [node for node in nodes if not kind or node["type"] == f"n8n-nodes-base.{kind}"]


def test_there_is_one_for_each_way_to_call() -> None:
    assert [file.stem for file in FILES] == ["approval", "batch", "polling", "resume"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nodes_are_known_and_joined(file: Path) -> None:
    nodes = nodes_of(file)
    used = {node["type"].removeprefix("n8n-nodes-base."): node["typeVersion"] for node in nodes}
    assert used.items() <= VERSIONS.items()
    names = {node["name"] for node in nodes}
    links = json.loads(file.read_text(encoding="utf-8"))["connections"]
    reached = {end["node"] for outputs in links.values() for ends in outputs["main"] for end in ends}
    assert len(names) == len({node["id"] for node in nodes}) == len(nodes)
    assert set(links) <= names
    assert reached == names - {"Begin"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_calls_go_to_routes_of_the_api(file: Path) -> None:
    called = set()
    for node in nodes_of(file, "httpRequest"):
        url = node["parameters"]["url"].removeprefix("=")
        assert url.startswith(ORIGIN)
        called.add(resolve(url.removeprefix(ORIGIN)).url_name)
        if node["parameters"]["method"] == "POST":
            (header,) = node["parameters"]["headerParameters"]["parameters"]
            assert header["name"] == "Idempotency-Key"
            assert "$execution.id" in header["value"]
            assert "$itemIndex" in header["value"]
    assert called <= {"start_segment", "run"}
    assert "start_segment" in called


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_wait_takes_an_authenticated_post(file: Path) -> None:
    waits = [node["parameters"] for node in nodes_of(file, "wait")]
    assert bool(waits) == (file.stem != "polling")
    for wait in waits:
        assert (wait["resume"], wait["httpMethod"], wait["incomingAuthentication"]) == ("webhook", "POST", "headerAuth")
