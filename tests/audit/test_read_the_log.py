"""The log is read, proven and verified through commands; what is tampered with is found."""

import json
from base64 import b64decode

import pytest
from django.core.management import call_command

from audit.errors import LogEmpty, NotSealed
from audit.log.proofs import open_proof, read_proof
from audit.log.tiles import entry_bundles, hash_tiles
from audit.models import Entry, PersonalValue, SealedEntry
from audit.reading.files import LogFiles
from audit.reading.verification import verify_stored
from audit.sealing.keys import keys_of
from audit.sealing.sealer import seal_entries
from audit.verifier.examination import verify_log
from audit.verifier.signatures import read_keys
from foundation.scope import tenant_scope
from kernel.signed_notes import read_verifier
from tests.conftest import Customer
from tests.support.audit_entries import make_log, shown, source_address_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_verifier_takes_the_log_s_files(acme: Customer) -> None:
    make_log(acme, 300)
    with tenant_scope(acme.tenant.id):
        files = LogFiles(acme.tenant.id)
        size, keys = files.last.size, "\n".join(key.verifier for key in keys_of(files.log.id))
        assert size > 300
        assert all(files.read(tile.path) for tile in (*hash_tiles(0, size), *entry_bundles(0, size)))
        verdict = verify_log(files.read, read_keys(keys))
        assert (verdict["ok"], verdict["size"], verdict["log"]) == (True, size, files.log.origin), verdict
        assert files.read(f"tile/0/001.p/{size - 255}") is None, "beyond the end"
        assert files.read("tile/../checkpoint") is None


def test_a_receipt_verifies_with_the_key_alone_and_stays_valid_when_the_person_is_erased(
    acme: Customer, capsys: pytest.CaptureFixture[str]
) -> None:
    make_log(acme, 20)
    with tenant_scope(acme.tenant.id):
        files = LogFiles(acme.tenant.id)
        verifiers = [read_verifier(key.verifier) for key in keys_of(files.log.id)]
        entry = Entry.objects.get(object_id="s7")
        n = SealedEntry.objects.get(entry_id=entry.id).n
        proof = read_proof(files.proof(n))
    assert open_proof(proof, proof.extra, verifiers)
    assert not open_proof(proof, proof.extra.replace(b"s7", b"s8"), verifiers)
    assert json.loads(proof.extra)["id"] == str(entry.id)
    assert (shown(entry, entry.after), source_address_of(entry)) == ({"reason": "Ann said 7"}, "192.0.2.7")
    call_command("erase_person", "member:m1", "--tenant", "acme")
    assert "40 values erased" in capsys.readouterr().out
    seal_entries()
    assert (shown(entry, entry.after), source_address_of(entry)) == ({"reason": "erased"}, "erased")
    with tenant_scope(acme.tenant.id):
        assert not PersonalValue.objects.filter(value__startswith="Ann").exists()
        again = read_proof(LogFiles(acme.tenant.id).proof(n))
    assert open_proof(again, proof.extra, verifiers)
    assert verify_stored(acme.tenant.id)["ok"] is True


def test_what_is_not_there_is_refused(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id), pytest.raises(LogEmpty):
        LogFiles(acme.tenant.id)
    make_log(acme)
    with tenant_scope(acme.tenant.id):
        assert LogFiles(acme.tenant.id).proof(0)
        with pytest.raises(NotSealed):
            LogFiles(acme.tenant.id).proof(9999)


def test_commands_print_keys(acme: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    make_log(acme)
    call_command("audit_key", "--public", "--tenant", "acme")
    public = capsys.readouterr().out.strip()
    with tenant_scope(acme.tenant.id):
        assert [public] == [key.verifier for key in keys_of(acme.tenant.id)]
    call_command("audit_key")
    assert len(b64decode(capsys.readouterr().out.strip())) == 32
