"""The commands of a vendor: a pair of keys, and licences issued with it, without a database."""

import re
import shlex
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from devserver.folders import CHECKOUT
from kernel.signed_notes import open_note, read_verifier
from tenants.licences.terms import read_licence


def said(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return tmp_path / "licences.key"


def test_a_licence_is_issued_and_verified_by_the_public_key(private: Path) -> None:
    key = read_verifier(said("licence_key", "vendor.example/licences", "--private", str(private)).strip())
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    note = said(
        "issue_licence", "acme", "--private", str(private), "--tier", "professional", "--from", "2026-12-01",
        "--until", "2027-12-01", "--limit", "concurrent_runs=25", "--limit", "runs_per_day=unlimited",
        "--feature", "human_task", "--holder", "Acme Ltd",
    )  # fmt: skip
    found = read_licence(open_note(note, [key]).text)
    assert (found.tenant, found.tier, found.holder) == ("acme", "professional", "Acme Ltd")
    assert (found.limits, found.features) == ({"concurrent_runs": 25, "runs_per_day": None}, ["human_task"])


def test_the_commands_of_the_howto_work_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CHECKOUT / "docs/howto/licences.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python manage\.py (.+)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    key, note = (said(*shlex.split(command)) for command in commands)
    text = open_note(note, [read_verifier(key.strip())]).text
    shown = page.partition("llmteam-licence/v1\n")[2].partition("\n\n")[0]
    assert text.splitlines()[2:] == shown.splitlines()[1:], "all but the id"


def test_a_key_is_never_written_over(private: Path) -> None:
    said("licence_key", "vendor.example/licences", "--private", str(private))
    before = private.read_text()
    with pytest.raises(CommandError, match="cannot be kept"):
        said("licence_key", "vendor.example/licences", "--private", str(private))
    assert private.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "concurrent_runs"], "write NAME=NUMBER"),
        (["--limit", "concurrent_runs=-1"], "write NAME=NUMBER"),
        (["--limit", "golden_eggs=1"], "The limit `golden_eggs` is not known"),
        (["--feature", "time_travel"], "The feature `time_travel` is not known"),
        (["--from", "2028-01-01"], "the last day comes before the first"),
        (["--holder", " "], "this is no holder"),
    ],
)
def test_nothing_is_issued_that_would_be_refused(private: Path, arguments: list[str], says: str) -> None:
    said("licence_key", "vendor.example/licences", "--private", str(private))
    right = [
        "issue_licence", "acme", "--private", str(private), "--tier", "free", "--until", "2027-12-01",
        "--holder", "Acme Ltd", "--from", "2026-12-01",
    ]  # fmt: skip
    assert said(*right)
    with pytest.raises(CommandError, match=says):
        said(*right, *arguments)


def test_what_is_no_key_signs_nothing(private: Path) -> None:
    with pytest.raises(CommandError, match="a text without blanks"):
        said("licence_key", "my vendor", "--private", str(private))
    arguments = ["--private", str(private), "--tier", "free", "--until", "2027-12-01", "--holder", "Acme"]
    with pytest.raises(CommandError, match="cannot be read"):
        said("issue_licence", "acme", *arguments)
    private.write_text("PRIVATE+KEY+a+00000000+AAAA")
    with pytest.raises(CommandError, match="holds no private key"):
        said("issue_licence", "acme", *arguments)
