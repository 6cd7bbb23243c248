"""The log is read, proven and verified through the API and commands; what is tampered with is found."""

import json
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from rest_framework.test import APIClient

from audit.erasure import erase_person
from audit.log.leaves import commitment
from audit.log.proofs import open_proof, read_proof
from audit.log.tiles import entry_bundles, hash_tiles
from audit.models import Entry
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from audit.verifier.examination import verify_log
from audit.verifier.signatures import read_keys
from foundation.scope import tenant_scope
from kernel.signed_notes import read_verifier
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.audit_entries import make_log

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)


def test_entries_have_their_numbers_and_what_is_not_sealed_has_none(acme: Customer, globex: Customer, api: Api) -> None:
    make_log(acme)
    make_log(globex, 1)
    with tenant_scope(acme.tenant.id):
        record("segment.archived", AuditObject("segment", "s0", acme.tenant.id), actor="system")
    asked = api(acme).get("/api/v1/audit/entries", {"object": "segment:s0"}).json()["data"]
    assert [(one["action"], one["n"] is None) for one in asked] == [
        ("segment.archived", True),
        ("segment.saved", False),
    ]
    assert (asked[1]["after"], asked[1]["source"]) == ({"reason": "Ann said 0"}, "192.0.2.7")
    url, found = "/api/v1/audit/entries?limit=2", []
    while url:
        page = api(acme).get(url).json()
        url = page["next_url"]
        found += [one["entry_id"] for one in page["data"]]
    with tenant_scope(acme.tenant.id):
        assert found == [str(one) for one in Entry.objects.order_by("-created_at", "-id").values_list("id", flat=True)]
    saved = api(acme).get("/api/v1/audit/entries", {"action": "segment.saved"}).json()["data"]
    assert [one["object_id"] for one in saved] == ["s2", "s1", "s0"]


def test_filters_add_up(acme: Customer, api: Api) -> None:
    make_log(acme)
    make_log(acme, 2, actor="member:m2")
    times = {"first": "2026-11-01T00:00:00Z", "second": "2026-11-02T00:00:00Z"}
    with tenant_scope(acme.tenant.id):
        for name, at in times.items():
            Entry.objects.create(
                tenant=acme.tenant, action="run.cancelled", actor="system", object_type="run", object_id=f"a:{name}",
                created_at=at,
            )  # fmt: skip

    def found(**asked: str) -> list[str]:
        answer = api(acme).get("/api/v1/audit/entries", asked)
        assert answer.status_code == 200, answer.json()
        return [one["object_id"] for one in answer.json()["data"]]

    assert found(action="segment.saved", actor="member:m1") == ["s2", "s1", "s0"]
    assert found(object="segment:s1") == ["s1", "s1"]
    assert found(object="segment:s1", actor="member:m2") == ["s1"]
    assert found(object="run") == ["a:second", "a:first"], "a type alone"
    assert found(object="run:a:first") == ["a:first"], "an id with a colon"
    assert found(object="run", **{"from": times["second"]}) == ["a:second"], "its own time included"
    assert found(object="run", to=times["second"]) == ["a:first"], "its own time left out"
    assert found(object="run", to=times["second"], **{"from": times["second"]}) == []
    refused = api(acme).get("/api/v1/audit/entries", {"from": "yesterday", "after": "x"}).json()
    assert "write `cursor`" in str(refused), refused
    assert "RFC 3339" in str(api(acme).get("/api/v1/audit/entries", {"from": "yesterday"}).json())


def test_it_needs_its_scope(acme: Customer, api: Api) -> None:
    make_log(acme)
    other = Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="runs only", scopes=["runs:read"]).text)
    for path in ("entries", "key", "log/checkpoint", "entries/0/proof", "verify"):
        assert api(acme).get(f"/api/v1/audit/{path}").status_code == 200
        assert api(other).get(f"/api/v1/audit/{path}").json()["code"] == "SCOPE_MISSING"


def test_the_verifier_takes_the_log_as_the_api_serves_it(acme: Customer, api: Api) -> None:
    make_log(acme, 300)
    client = api(acme)
    keys = client.get("/api/v1/audit/key").json()
    size = int(client.get("/api/v1/audit/log/checkpoint").content.decode().splitlines()[1])
    assert size > 300
    assert all(
        client.get(f"/api/v1/audit/log/{tile.path}").status_code == 200
        for tile in (*hash_tiles(0, size), *entry_bundles(0, size))
    )

    def read(path: str) -> bytes | None:
        answer = client.get(f"/api/v1/audit/log/{path}")
        return answer.content if answer.status_code == 200 else None

    verdict = verify_log(read, read_keys("\n".join(key["key"] for key in keys["keys"])))
    assert (verdict["ok"], verdict["size"], verdict["log"]) == (True, size, keys["log"]), verdict
    assert client.get(f"/api/v1/audit/log/tile/0/001.p/{size - 255}").json()["code"] == "LOG_FILE_NOT_FOUND"


def test_a_receipt_verifies_with_the_key_alone_and_stays_valid_when_the_person_is_erased(
    acme: Customer, api: Api
) -> None:
    make_log(acme, 20)
    client = api(acme)
    (key,) = client.get("/api/v1/audit/key").json()["keys"]
    entry = client.get("/api/v1/audit/entries", {"object": "segment:s7"}).json()["data"][0]
    path = f"/api/v1/audit/entries/{entry['n']}/proof"
    proof = read_proof(client.get(path).content.decode())
    verifiers = [read_verifier(key["key"])]
    assert open_proof(proof, proof.extra, verifiers)
    assert not open_proof(proof, proof.extra.replace(b"s7", b"s8"), verifiers)
    assert json.loads(proof.extra)["id"] == entry["entry_id"]
    assert erase_person(tenant_id=acme.tenant.id, person="member:m1", actor="user:1") == 40
    seal_entries()
    shown = client.get("/api/v1/audit/entries", {"object": "segment:s7"}).json()["data"][0]
    assert (shown["after"], shown["source"]) == ({"reason": "erased"}, "erased")
    assert "Ann" not in client.get("/api/v1/audit/entries").content.decode()
    assert open_proof(read_proof(client.get(path).content.decode()), proof.extra, verifiers)
    assert client.get("/api/v1/audit/verify").json()["ok"] is True
    assert commitment(bytes(16), "x").startswith("sha256:")
    assert client.get("/api/v1/audit/entries/9999/proof").json()["code"] == "NOT_SEALED"


def test_a_person_is_erased_through_the_api_once(acme: Customer, globex: Customer, api: Api) -> None:
    make_log(acme)
    make_log(globex)
    reader = Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="reads", scopes=["audit:read"]).text)
    body = {"person": "member:m1"}
    assert api(reader).post("/api/v1/audit/erase", body).json()["scope"] == "tenant:write"
    assert [api(acme).post("/api/v1/audit/erase", body).json() for _ in range(2)] == [{"erased": 6}, {"erased": 0}]
    shown = api(acme).get("/api/v1/audit/entries", {"object": "segment:s1"}).json()["data"][0]
    assert (shown["after"], shown["source"]) == ({"reason": "erased"}, "erased")
    (told,) = api(acme).get("/api/v1/audit/entries", {"action": "person.erased"}).json()["data"]
    assert (told["object_id"], told["after"], told["actor"][:4]) == ("member:m1", {"values": 6}, "key:")
    others = api(globex).get("/api/v1/audit/entries", {"object": "segment:s1"}).json()["data"][0]
    assert others["after"] == {"reason": "Ann said 1"}
    seal_entries()
    assert api(acme).get("/api/v1/audit/verify").json()["ok"] is True
    refused = api(acme).post("/api/v1/audit/erase", {"person": "Ann"})
    assert refused.status_code == 422


TAMPERINGS = {
    "a changed entry": ("update audit_entry set outcome = 'else' where object_id = 's1'", "entry"),
    "a changed leaf": (
        "update audit_sealedentry set data = replace(encode(data, 'escape'), 's1', 'sX')::bytea"
        " where position('\"s1\"'::bytea in data) > 0",
        "leaf",
    ),
    "a deleted entry": ("delete from audit_entry where object_id = 's1'", "entry"),
    "a person's data": ("update audit_personalvalue set value = 'Bob' where value = 'Ann said 1'", "personal"),
    "a cut tail": ("delete from audit_sealedentry where n = (select max(n) from audit_sealedentry)", "missing"),
    "an entry that never came to the log": (
        "insert into audit_entry (id, action, actor, object_type, object_id, outcome, request_id, source, created_at,"
        " tenant_id) select gen_random_uuid(), action, actor, object_type, 'new', outcome, request_id, '', created_at,"
        " tenant_id from audit_entry where object_id = 's1'",
        "unsealed",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_and_the_untouched_log_verifies(
    acme: Customer, api: Api, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_log(acme)
    assert api(acme).get("/api/v1/audit/verify").json()["ok"] is True
    call_command("verify_audit", "--tenant", "acme")
    statement, kind = TAMPERINGS[name]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount == 1
    verdict = api(acme).get("/api/v1/audit/verify").json()
    assert (verdict["ok"], verdict["first_bad"]["kind"]) == (False, kind), verdict
    with pytest.raises(CommandError, match="cannot be trusted"):
        call_command("verify_audit", "--tenant", "acme")
    assert "verified" in capsys.readouterr().out
