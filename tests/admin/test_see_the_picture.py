"""The operator sees a run's graph, each step with its state."""

import re

from django.test import Client
from django.urls import reverse

from tests.support.console import World, an_event


def test_a_run_s_page_draws_its_steps(console: Client, acme_world: World) -> None:
    an_event(acme_world.run, type_="step.started", payload={"inputs": {}}, step_id="hello", activation=1, attempt=1)
    html = console.get(reverse("admin:runs_run_change", args=[acme_world.run.pk])).text
    assert re.search(r'<g class="picture-step is-running"><title>hello: under way</title>', html)
    assert "runs/picture.css" in html
