"""Alert rules and dashboards name metrics that a live stack shows, and each alert has a runbook."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from devserver.folders import CHECKOUT
from devserver.processes import free_port
from tests.support.process_ends import eventually
from tests.support.server import running_server
from tests.support.worker import running_worker

PROMETHEUS = CHECKOUT / "deploy" / "prometheus"
BOARDS = sorted((CHECKOUT / "deploy" / "grafana").glob("*.json"))
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
NAME = re.compile(r"\bllmteam_[a-z_]+")
OF_EVERYBODY = {"instance", "job", "le"}
"""Labels that Prometheus itself gives, and those of every histogram."""


def panels() -> Iterator[dict[str, Any]]:
    for path in BOARDS:
        yield from json.loads(path.read_text())["panels"]


def expressions() -> list[str]:
    found = [rule["expr"] for rule in RULES]
    return found + [target["expr"] for panel in panels() for target in panel["targets"]]


def family(name: str) -> str:
    return re.sub(r"_(sum|count|bucket)$", "", name)


@pytest.mark.django_db(transaction=True)
def test_every_metric_of_an_alert_or_a_dashboard_is_shown_by_a_live_stack() -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    with running_server(METRICS_TOKEN="scraper") as server, running_worker(WORKER_METRICS_ADDRESS=address):
        told = {"Authorization": "Bearer scraper"}
        web = httpx.get(f"{server.url}/metrics", headers=told, trust_env=False)
        assert web.status_code == 200
        pages = [web.text]
        assert eventually(lambda: "llmteam_runs_owned" in worker_page(address, pages), seconds=20)
    shown = set(re.findall(r"^# TYPE (llmteam_\S+)", "\n".join(pages), re.MULTILINE))
    asked = {family(name) for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 25
    assert asked - shown == set()


def worker_page(address: str, pages: list[str]) -> str:
    pages[1:] = [httpx.get(f"http://{address}/metrics", trust_env=False).text]
    return pages[1]


def test_every_label_that_is_asked_for_stands_on_the_page_of_metrics() -> None:
    page = (CHECKOUT / "docs" / "howto" / "metrics.md").read_text()
    labels = {name: set(re.split(", ?", found)) for name, found in re.findall(r"`(llmteam_\w+)\{([^}]*)\}`", page)}
    wrong = []
    for expression in expressions():
        for name, selected in re.findall(r"(llmteam_[a-z_]+)\{([^}]*)\}", expression):
            asked = set(re.findall(r"(\w+)\s*[=!]", selected))
            wrong += [f"{name}: {one}" for one in asked - labels.get(family(name), set()) - OF_EVERYBODY]
    assert wrong == []


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    folder = CHECKOUT / "docs" / "runbooks"
    named = {rule["annotations"]["runbook_url"] for rule in RULES}
    assert len(named) == len(RULES) > 15
    assert named == {f"docs/runbooks/{path.name}" for path in folder.glob("*.md") if path.name != "README.md"}
    overview = (folder / "README.md").read_text()
    for rule in RULES:
        text = (CHECKOUT / rule["annotations"]["runbook_url"]).read_text()
        assert text.startswith(f"# {rule['alert']}\n")
        assert rule["annotations"]["summary"] in text
        assert "## Look\n" in text
        assert "## Do\n" in text
        assert f"| [{rule['alert']}](" in overview
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_alert_is_shown_firing_alone() -> None:
    cases = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    assert {case["name"] for case in cases} == {rule["alert"] for rule in RULES}
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed here (Debian's package prometheus): no alert was seen firing.")
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)  # noqa: S607 - Debian's own
        assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_ask_the_prometheus_that_is_chosen_and_say_what_they_show() -> None:
    assert len(BOARDS) == 2
    assert len({json.loads(path.read_text())["uid"] for path in BOARDS}) == 2
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert panel["description"]
