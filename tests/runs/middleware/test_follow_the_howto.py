"""The links of the how-to work as they stand there, and the page tells the order there is."""

import logging
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from prometheus_client import REGISTRY

from kernel.clock import utc_now
from tenants.models import Tenant
from tests.support.best_tries import least_of
from tests.support.engine import get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

HOWTO = Path(__file__).resolve().parents[3] / "docs" / "howto"
PAGE = (HOWTO / "middleware.md").read_text(encoding="utf-8")


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch, settings: Any) -> ModuleType:
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class " in block)
    listed = re.search(r"EXTRA_STEP_MIDDLEWARE=(\S+)", PAGE)
    assert listed is not None
    module = ModuleType("our_links")
    exec(code, module.__dict__)  # noqa: S102 - our own page
    monkeypatch.setitem(sys.modules, "our_links", module)
    settings.STEP_MIDDLEWARE = [*settings.STEP_MIDDLEWARE, *listed[1].split(",")]
    return module


def test_the_page_s_links_do_as_it_says(
    acme: Tenant, server: CountingServer, links: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server.route("POST", "/", Answer(200))
    call = step("call", "outsider", url=f"{server.url}/")
    links.Maintenance.hosts = {}
    with running_host():

        def calls_told_slow() -> int:
            run_id = queue_run(acme, segment(step("nap", seconds=0.3), call))
            assert wait_until_over(run_id) == ["completed"]
            assert f"slow: nap of run {run_id}" in caplog.text
            return caplog.text.count(f"slow: call of run {run_id}")

        least_of(calls_told_slow, below=1)
        made = server.count()
        links.Maintenance.hosts = {server.url.removeprefix("http://"): utc_now() + timedelta(hours=1)}
        put_off = queue_run(acme, segment(call), timeout_seconds=7200)
        wait_for(lambda: get_run(put_off).status == "waiting")
    (waits,) = get_run(put_off).waiting_for
    assert datetime.fromisoformat(waits["until"]) > datetime.now(UTC) + timedelta(minutes=59)
    assert server.count() == made, "the call that was put off was not made"


def test_the_page_names_the_links_in_their_order() -> None:
    told = re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE)
    assert [f"runs.middleware.{name}" for name in told] == django_settings.STEP_MIDDLEWARE[: len(told)]
    assert len(told) == len(django_settings.STEP_MIDDLEWARE)


def test_every_metric_there_is_is_on_the_page_of_metrics() -> None:
    page = (HOWTO / "metrics.md").read_text(encoding="utf-8")
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("llmteam_")}
    assert len(ours) > 8
    assert not {name for name in ours if f"`{name}" not in page}
