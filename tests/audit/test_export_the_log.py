"""The export of a log verifies by itself: its own verify.py and key, by the commands of the howto as they stand."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from audit.erasure import erase_person
from audit.models import Entry
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from audit.verifier.standalone import verify_py
from devserver.folders import CHECKOUT
from foundation.scope import tenant_scope, unscoped
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)
HOWTO = CHECKOUT / "docs/howto/verify-the-audit.md"


def unpacked(data: bytes, place: Path) -> Path:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        archive.extractall(place)
    return place


def run(folder: Path, words: list[str]) -> tuple[int, str]:
    """Run the export's own file with a Python that sees nothing of ours."""
    argv = [sys.executable, "-I", "verify.py", *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log/entries.ndjson").read_text().splitlines()]


def test_it_verifies_by_the_commands_of_the_howto(acme: Customer, globex: Customer, api: Api, tmp_path: Path) -> None:
    make_log(globex, 2)
    make_log(acme, 5)
    client = api(acme)
    old = client.get("/api/v1/audit/log/checkpoint").content
    with tenant_scope(acme.tenant.id):
        thing = AuditObject("segment", "long", acme.tenant.id)
        record("segment.saved", thing, actor="system", after={"text": "x" * 30_000}, before={"sha256": "a", "bytes": 1})
    make_log(acme, 300)
    answer = client.get("/api/v1/audit/export")
    assert answer.status_code == 200
    folder = unpacked(answer.content, tmp_path)
    (folder / "old").write_bytes(old)
    (folder / "kept").write_text(json.dumps({"checkpoint": old.decode()}) + "\n")
    (folder / "receipt").write_bytes(client.get("/api/v1/audit/entries/7/proof").content)
    commands = [line.split()[2:] for line in HOWTO.read_text().splitlines() if line.startswith("python verify.py")]
    local = [words for words in commands if not any(word.startswith("https://") for word in words)]
    assert len(local) == 4
    for words in local:
        code, said = run(folder, words)
        assert (code, "erified" in said) == (0, True), said
    found = lines_of(folder)
    assert [line["leaf"]["n"] for line in found] == list(range(len(found)))
    assert len(found) > 305
    assert all(line["leaf"]["log"].endswith("/acme") for line in found)
    (long,) = (line for line in found if line["leaf"]["object_id"] == "long")
    assert {"text": "x" * 30_000} in [json.loads(text) for text in long["long"].values()]
    assert len(long["long"]) == 2
    assert any(one["value"] == "Ann said 7" for line in found for one in line.get("personal", {}).values())
    bundle = folder / "log/tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"segment.saved", b"segment.shved", 1))
    code, said = run(folder, local[0])
    assert (code, "first bad leaf" in said.lower()) == (1, True), said


def test_a_served_log_verifies_by_the_commands_of_the_howto(acme: Customer, server: Any, tmp_path: Path) -> None:
    make_log(acme, 5)
    (block,) = (part for part in HOWTO.read_text().split("```") if part.startswith("\ncurl"))
    (tmp_path / "verify.py").write_text(verify_py())
    (tmp_path / "token").write_text(acme.key)
    done = subprocess.run(
        ["bash", "-ec", block.replace("https://llmteam.example", server.url)],  # noqa: S607 - as a reader types it
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, "Verified" in done.stdout) == (0, True), done.stderr
    (tmp_path / "key").write_text("\n".join(flipped(line) for line in (tmp_path / "key").read_text().split()))
    assert run(tmp_path, ["log", "--key", "key"])[0] != 0, "with another key it does not"


def flipped(key: str) -> str:
    return key[:-2] + ("A" if key[-2] != "A" else "B") + key[-1]


def test_an_erased_person_is_in_no_later_export_and_it_verifies(acme: Customer, api: Api, tmp_path: Path) -> None:
    make_log(acme)
    before = unpacked(api(acme).get("/api/v1/audit/export").content, tmp_path / "before")
    assert "Ann said 1" in (before / "log/entries.ndjson").read_text()
    erase_person(tenant_id=acme.tenant.id, person="member:m1", actor="user:1")
    seal_entries()
    after = unpacked(api(acme).get("/api/v1/audit/export").content, tmp_path / "after")
    assert "Ann said" not in (after / "log/entries.ndjson").read_text()
    assert "erased" in {one for line in lines_of(after) for one in line.get("personal", {}).values() if one == "erased"}
    assert run(after, ["log", "--key", "key"])[0] == 0


def test_the_audit_tells_who_took_it(acme: Customer, api: Api) -> None:
    assert api(acme).get("/api/v1/audit/export").json()["code"] == "LOG_EMPTY"
    make_log(acme)
    size = int(api(acme).get("/api/v1/audit/log/checkpoint").content.splitlines()[1])
    assert api(acme).get("/api/v1/audit/export").status_code == 200
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="audit_log.exported")
    assert (entry.object_type, entry.after) == ("audit_log", {"size": size})
    assert entry.actor.startswith("key:")


def test_the_command_writes_a_folder_or_a_zip_of_a_tenant_or_the_installation(acme: Customer, tmp_path: Path) -> None:
    make_log(acme)
    call_command("export_audit", str(tmp_path / "folder"), "--tenant", "acme")
    assert run(tmp_path / "folder", ["log", "--key", "key"])[0] == 0
    with pytest.raises(CommandError, match="there already"):
        call_command("export_audit", str(tmp_path / "folder"), "--tenant", "acme")
    with pytest.raises(CommandError, match="Nothing is sealed"):
        call_command("export_audit", str(tmp_path / "all.zip"), "--installation")
    with unscoped("an entry of the installation"):
        record("thing.done", AuditObject("thing", "1", None), actor="system")
    seal_entries()
    call_command("export_audit", str(tmp_path / "all.zip"), "--installation")
    folder = unpacked((tmp_path / "all.zip").read_bytes(), tmp_path / "all")
    assert run(folder, ["log", "--key", "key"])[0] == 0
    assert lines_of(folder)[-1]["leaf"]["log"].endswith("/installation")
