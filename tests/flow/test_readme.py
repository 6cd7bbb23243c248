"""The README's commands, as they stand, against a running platform."""

import json
import re
from pathlib import Path

import pytest

from devserver.folders import CHECKOUT
from tests.support.server import running_server
from tests.support.typed_commands import typed
from tests.support.worker import running_worker

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.django_db


def commands() -> list[str]:
    """The blocks of the first segment: of those marked ``sh`` the first names the address and the key."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert blocks[0].startswith("URL=http://127.0.0.1:8000/api/v1\nKEY=")
    return blocks[1:3]  # those that ask a person are typed in tests/devserver/test_run.py


def test_a_stranger_saves_and_runs_a_first_segment(key: str, tmp_path: Path) -> None:
    with running_server() as server, running_worker():
        answers = [json.loads(typed(block, folder=tmp_path, url=server.url, key=key)) for block in commands()]
    saved, run = answers
    (shown,) = re.findall(r'"output": (\{"total".*?\}),\n', README)
    assert (saved["segment_id"], saved["revision"]) == ("order", 1)
    assert (run["status"], run["output"]) == ("completed", json.loads(shown))
