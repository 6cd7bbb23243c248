"""The commands of the return desk's page, as they stand, against a running platform."""

import json
import re
from typing import Any

import pytest

from devserver.folders import CHECKOUT
from examples.model_server import ModelServer
from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import read_invoices
from examples.return_desk.shop import Shop
from tests.support.server import running_server
from tests.support.typed_commands import typed
from tests.support.worker import running_worker

PAGE = (CHECKOUT / "docs" / "howto" / "return-desk.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.django_db


def test_a_stranger_runs_one_cancellation_and_sees_what_the_page_shows(key: str) -> None:
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r'"output": (\{.*?\}),\n', PAGE)
    with (
        Shop(read_invoices(SAMPLE)).open() as shop,
        ModelServer() as model,
        running_server() as server,
        running_worker(),
    ):
        here = commands.replace("http://127.0.0.1:8100", shop.url).replace("http://127.0.0.1:8111", model.url)
        assert here.count(shop.url) == here.count(model.url) == 1
        lines = typed(here, folder=CHECKOUT, url=server.url, key=key)
    connection, segment, run = documents(lines)
    assert (connection["ref"], segment["segment_id"], segment["revision"]) == ("letters", "return_desk", 1)
    assert (run["status"], run["output"]) == ("completed", json.loads(shown))


def documents(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand one behind the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found
