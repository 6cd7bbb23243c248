"""A tenant's export has all it has at one moment, no secret, and what its manifest says; others' rows are not in it."""

import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models import BinaryField
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from foundation.zip_stream import PIECE_BYTES
from kernel.clock import utc_now
from runs.models import Run
from tenants.lifecycle import exports
from tenants.lifecycle.archive import ArchiveRefused, ArchiveWriter, verify_archive
from tenants.lifecycle.background import STALE
from tenants.lifecycle.exports import write_exports
from tenants.lifecycle.retention import sweep_retention
from tenants.lifecycle.tables import LEFT_OUT, SECRET_COLUMNS, label_of, tenant_models
from tenants.models import ExportPart, TenantExport
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.console import a_run, a_world
from tests.support.server import ServerProcess

Api = Callable[[Customer], APIClient]
CANARY = "canary-of-the-console"
NO_SECRETS = {
    ("runs.Run", "digest"): "a hash of the journal",
    ("tenants.ExportPart", "data"): "left out as a table",
    ("audit.PersonalValue", "salt"): "stands beside its value",
}
pytestmark = pytest.mark.django_db(transaction=True)


def ask(api: Api, customer: Customer) -> dict[str, Any]:
    answer = api(customer).post("/api/v1/tenant/export")
    assert answer.status_code == 202, answer.content
    body: dict[str, Any] = answer.json()
    return body


def read(api: Api, customer: Customer, asked: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = api(customer).get(f"/api/v1/tenant/export/{asked['export_id']}").json()
    return body


def archive_of(api: Api, customer: Customer, asked: dict[str, Any]) -> bytes:
    answer = api(customer).get(read(api, customer, asked)["archive_url"])
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
    return bytes(answer.content)


def lines(data: bytes) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {
            name.removeprefix("data/").removesuffix(".jsonl"): [json.loads(line) for line in archive.open(name)]
            for name in archive.namelist()
            if name.startswith("data/")
        }


def test_it_has_every_row_of_the_tenant_and_of_nobody_else(
    acme: Customer, globex: Customer, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_world(acme.tenant)
    a_world(globex.tenant, name="greet-globex")
    asked = ask(api, acme)
    assert (asked["status"], asked["archive_url"]) == ("queued", None)
    assert ask(api, acme)["export_id"] == asked["export_id"], "the one under way"
    assert write_exports() == 1
    ready = read(api, acme, asked)
    assert ready["status"] == "ready"
    assert ready["progress"]["rows"] == ready["progress"]["total"] > 15
    data = archive_of(api, acme, asked)
    assert len(data) == ready["progress"]["bytes"]
    found = lines(data)
    with unscoped("tests look at everything"):
        for model in tenant_models():
            label, rows = label_of(model), model._base_manager.filter(tenant_id=acme.tenant.id).count()
            if label in LEFT_OUT:
                assert label not in found
            elif label not in {"audit.Entry", "audit.PersonalValue"}:  # reading adds to them
                assert len(found[label]) == rows, label
        assert len(found["audit.Entry"]) > 0
    assert [row["slug"] for row in found["tenants.Tenant"]] == ["acme"]
    assert [row["username"] for row in found["tenants.User"]] == ["reader-of-acme"]
    assert found["runs.RunEvent"][0]["payload"] == {"input": {"who": "world"}}
    text = "".join(json.dumps(rows) for rows in found.values())
    assert str(globex.tenant.id) not in text
    assert "globex" not in text
    file = tmp_path / "acme.zip"
    file.write_bytes(data)
    call_command("verify_export", str(file))
    assert "rows of acme" in capsys.readouterr().out


def test_no_secret_is_in_it(acme: Customer, api: Api) -> None:
    a_world(acme.tenant)
    key = create_api_key(tenant=acme.tenant, name="another").text
    asked = ask(api, acme)
    write_exports()
    found = lines(archive_of(api, acme, asked))
    text = "".join(json.dumps(rows) for rows in found.values())
    with unscoped("tests look at everything"):
        sealed = [
            getattr(row, field.name)
            for model in tenant_models()
            for row in model._base_manager.filter(tenant_id=acme.tenant.id)
            for field in model._meta.concrete_fields
            if type(field).__name__ == "SealedField"
        ]
    assert sum(len(secret) > 1 for secret in sealed) >= 2, "there are secrets to be found"
    assert not [secret for secret in sealed if len(secret) > 1 and secret in text]
    assert key not in text
    assert CANARY not in text
    assert "secret_hash" not in text
    assert "password" not in found["tenants.User"][0]


def test_a_column_of_bytes_is_a_secret_or_is_said_to_be_none() -> None:
    columns = {
        (label_of(model), field.column)
        for model in tenant_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField)
    }
    named = SECRET_COLUMNS | set(NO_SECRETS)
    assert {column for column in columns if column[0] not in LEFT_OUT} <= named


def test_it_shows_one_moment_and_its_progress_while_it_is_written(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_world(acme.tenant)
    asked, real, seen = ask(api, acme), exports.json_lines, []

    def look_and_start() -> None:
        try:
            seen.append(read(api, acme, asked))
            a_run(world.revision)
        finally:
            connections.close_all()

    def meanwhile(statement: Any) -> Any:
        if not seen:  # in a thread, whose connection is not inside the snapshot
            with ThreadPoolExecutor(1) as thread:
                thread.submit(look_and_start).result()
        return real(statement)

    monkeypatch.setattr(exports, "json_lines", meanwhile)
    assert write_exports() == 1
    assert (seen[0]["status"], seen[0]["archive_url"], seen[0]["progress"]["rows"]) == ("running", None, 0)
    assert seen[0]["progress"]["total"] > 15
    assert len(lines(archive_of(api, acme, asked))["runs.Run"]) == 1, "the other came later"
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 2


def test_an_export_whose_writer_is_killed_is_begun_anew_and_given_up_in_the_end(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_world(acme.tenant)
    asked = ask(api, acme)
    with monkeypatch.context() as patch:
        patch.setattr("foundation.zip_stream.PIECE_BYTES", 500)

        def dies(*args: Any) -> Any:
            raise KeyboardInterrupt

        patch.setattr(ArchiveWriter, "end", dies)
        for number in range(3):
            with pytest.raises(KeyboardInterrupt):
                write_exports()
            assert write_exports() == 0, "somebody may be at it still"
            with unscoped("time goes by"):
                assert ExportPart.objects.count() > 1
                TenantExport.objects.update(beat_at=utc_now() - 2 * STALE)
            if number == 1:
                patch.undo()
                assert write_exports() == 1
                break
    assert read(api, acme, asked)["status"] == "ready"
    assert "runs.Run" in lines(archive_of(api, acme, asked))
    with unscoped("time goes by"):
        mine = TenantExport.objects.filter(id=asked["export_id"])
        mine.update(status="running", tries=3, beat_at=utc_now() - 2 * STALE)
    assert write_exports() == 0
    given_up = read(api, acme, asked)
    assert (given_up["status"], "3 times" in given_up["error"]) == ("failed", True)


def test_three_are_kept_until_their_time_is_over(acme: Customer, api: Api) -> None:
    asked = []
    for _ in range(3):
        asked.append(ask(api, acme))
        write_exports()
    refused = api(acme).post("/api/v1/tenant/export")
    assert (refused.status_code, refused.json()["code"]) == (409, "EXPORTS_KEPT")
    assert refused.json()["export_ids"] == [one["export_id"] for one in asked]
    assert api(acme).delete(f"/api/v1/tenant/export/{asked[0]['export_id']}").status_code == 204
    assert ask(api, acme)["status"] == "queued"
    write_exports()
    with unscoped("time goes by"):
        TenantExport.objects.filter(id=asked[1]["export_id"]).update(expires_at=utc_now())
    assert api(acme).get(f"/api/v1/tenant/export/{asked[1]['export_id']}").status_code == 404
    sweep_retention()
    with unscoped("tests look at everything"):
        assert set(ExportPart.objects.values_list("export_id", flat=True)) == set(
            TenantExport.objects.values_list("id", flat=True)
        )
        assert TenantExport.objects.count() == 2


def test_who_may_ask_and_what_the_audit_has(acme: Customer, api: Api) -> None:
    asked = ask(api, acme)
    write_exports()
    reader = Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="reader", scopes=["tenant:read"]).text)
    path = f"/api/v1/tenant/export/{asked['export_id']}"
    assert api(reader).get(path).status_code == 200
    refused = [api(reader).post("/api/v1/tenant/export"), api(reader).get(f"{path}/archive"), api(reader).delete(path)]
    assert [answer.status_code for answer in refused] == [403] * 3
    archive_of(api, acme, asked)
    assert api(acme).delete(path).status_code == 204
    with unscoped("tests look at everything"):
        told = list(Entry.objects.filter(action__startswith="export.").order_by("id").values_list("action", flat=True))
    assert told == [f"export.{word}" for word in ("requested", "ready", "downloaded", "deleted")]


def test_a_server_sends_it_in_pieces_with_its_length(acme: Customer, api: Api, server: ServerProcess) -> None:
    asked = ask(api, acme)
    write_exports()
    data = b"x" * PIECE_BYTES
    with unscoped("a large archive"):
        export = TenantExport.objects.get()
        for number in range(2, 5):
            ExportPart.objects.create(tenant=acme.tenant, export=export, number=number - 1, data=data)
        export.bytes += 3 * len(data)
        export.save()
    path = f"{server.url}/api/v1/tenant/export/{asked['export_id']}/archive"
    answer = httpx.get(path, headers={"Authorization": f"Bearer {acme.key}"}, timeout=60)
    assert (answer.status_code, len(answer.content)) == (200, export.bytes)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert 'filename="acme-' in answer.headers["Content-Disposition"]


def damaged(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    other = path.with_suffix(".damaged")
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return other


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: files.update({"data/a.jsonl": b'{"n": 1}\n{"n": 3}\n'}), "is not what the manifest says"),
        (lambda files: files.update({"data/a.jsonl": b'{"n": 1}\n'}), "is not what the manifest says"),
        (lambda files: files.update({"data/a.jsonl": b'{"n": 1}\n{"n": \n'}), "no JSON"),
        (lambda files: files.pop("data/a.jsonl"), "not those of the manifest"),
        (lambda files: files.update({"data/c.jsonl": b""}), "not those of the manifest"),
        (lambda files: files.pop("manifest.json"), "no manifest"),
        (lambda files: files.update({"manifest.json": b"[]"}), "no manifest"),
        (lambda files: files.update({"manifest.json": b'{"format": "other/1"}'}), "other/1"),
    ],
)
def test_a_changed_archive_is_refused_with_the_place(tmp_path: Path, change: Any, sentence: str) -> None:
    path, pieces = tmp_path / "export.zip", bytearray()
    writer = ArchiveWriter(pieces.extend)
    writer.add("data/a.jsonl", ['{"n": 1}', '{"n": 2}'])
    writer.add("data/b.jsonl", [])
    writer.end({"tenant": {"slug": "acme"}, "taken_at": "2026-11-30"})
    path.write_bytes(pieces)
    assert [file["rows"] for file in verify_archive(path)["files"]] == [2, 0]
    assert verify_archive(damaged(path, lambda files: None))["tenant"] == {"slug": "acme"}
    with pytest.raises(ArchiveRefused, match=sentence):
        verify_archive(damaged(path, change))
    path.write_bytes(pieces[:-40])
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_export", str(path))
