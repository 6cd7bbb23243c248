"""A licence that is forged, stale, another tenant's or malformed is refused with a sentence, and changes nothing.

The genuine licence, of which each variant is made, is accepted before.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.signed_notes import NoteSignature, NoteSigner, new_signer, read_note, sign_note
from tenants.licences.errors import ENDED, FOREIGN, FORGED, ID_TAKEN, MALFORMED, OLDER, UNKNOWN_SIGNER
from tenants.licences.selectors import licence_of
from tenants.licences.terms import Licence, new_licence_id, write_licence
from tenants.models import InstalledLicence
from tests.conftest import Customer
from tests.support.licences import VENDOR, licence, signed

STRANGER = new_signer("stranger.example/licences")
IMPOSTOR = NoteSigner(VENDOR.name, STRANGER.seed)
"""A stranger's key under the vendor's name."""


class Variant(NamedTuple):
    """What is made of a genuine licence, and what is said to it."""

    name: str
    make: Callable[[Licence], str]
    reason: str
    says: str


def edited(before: str, after: str) -> Callable[[Licence], str]:
    """Change the text under the signature that it had."""

    def make(genuine: Licence) -> str:
        note = signed(genuine)
        assert before in note
        return note.replace(before, after, 1)

    return make


def resigned(before: str, after: str) -> Callable[[Licence], str]:
    """Change the text and have the vendor sign what came out."""

    def make(genuine: Licence) -> str:
        text = write_licence(genuine)
        assert before in text
        return signed(text.replace(before, after, 1))

    return make


def under_the_vendors_id(genuine: Licence) -> str:
    text = write_licence(genuine)
    forged = NoteSignature(VENDOR.name, VENDOR.verifier.key_id, STRANGER.sign(text).signature)
    return f"{text}\n{forged.line}"


def with_the_signature_of_another(genuine: Licence) -> str:
    other = read_note(signed(replace(genuine, licence_id=new_licence_id()))).signatures[0]
    return f"{write_licence(genuine)}\n{other.line}"


def beside_a_strangers_wrong_vendor(genuine: Licence) -> str:
    text = write_licence(genuine)
    wrong = NoteSignature(VENDOR.name, VENDOR.verifier.key_id, bytes(64))
    return sign_note(text, STRANGER, others=[wrong])


def ended_lately(genuine: Licence) -> str:
    last_day = utc_now().date() - timedelta(days=3)
    return signed(replace(genuine, first_day=last_day - timedelta(days=365), last_day=last_day))


def issued_before(genuine: Licence) -> str:
    return signed(replace(genuine, licence_id="lic_" + "0" * 26, tier="enterprise"))


def under_the_same_id(genuine: Licence) -> str:
    return signed(replace(genuine, tier="enterprise"))


VARIANTS = [
    Variant("nothing", lambda _: "\n", MALFORMED, "not a signed licence"),
    Variant("no signature", write_licence, MALFORMED, "a blank line and a line for each signature"),
    Variant("a hyphen for the dash", edited("— vendor", "- vendor"), MALFORMED, "a line that is not a signature"),
    Variant("a control character", edited("Acme Ltd", "Acme\tLtd"), MALFORMED, "a control character"),
    Variant("a longer life", edited("until 2", "until 29"), FORGED, "was changed, or never signed"),
    Variant("a higher tier", edited("tier professional", "tier enterprise"), FORGED, "was changed, or never signed"),
    Variant("a limit more", edited("holder", "limit concurrent_runs 999\nholder"), FORGED, "was changed"),
    Variant("another tenant's, edited", edited("tenant acme", "tenant globex"), FORGED, "was changed"),
    Variant("a stranger's signature", lambda one: signed(one, STRANGER), UNKNOWN_SIGNER, "No vendor known"),
    Variant("a stranger under the name", lambda one: signed(one, IMPOSTOR), UNKNOWN_SIGNER, "No vendor known"),
    Variant("a stranger under name and id", under_the_vendors_id, FORGED, "was changed, or never signed"),
    Variant("the signature of another licence", with_the_signature_of_another, FORGED, "was changed"),
    Variant("a stranger's beside a wrong one", beside_a_strangers_wrong_vendor, FORGED, "was changed"),
    Variant("another tenant's", lambda one: signed(replace(one, tenant="globex")), FOREIGN, "is for the tenant globex"),
    Variant("ended", ended_lately, ENDED, "The licence ended on "),
    Variant("older than the one in force", issued_before, OLDER, "was issued before lic_"),
    Variant("another under the same id", under_the_same_id, ID_TAKEN, "Another licence is installed under the id"),
    Variant("another format", resigned("llmteam-licence/v1", "llmteam-licence/v2"), MALFORMED, "begins with the line"),
    Variant(
        "an unknown tier", resigned("professional", "platinum"), MALFORMED, "Line 4 of the licence: this is no tier"
    ),
    Variant("an unknown limit", resigned("concurrent_runs", "golden_eggs"), MALFORMED, "The limit `golden_eggs`"),
    Variant("a negative limit", resigned("concurrent_runs 25", "concurrent_runs -1"), MALFORMED, "is a whole number"),
    Variant(
        "a limit twice", resigned("limit concurrent_runs 25\n", "limit concurrent_runs 25\n" * 2), MALFORMED, "twice"
    ),
    Variant("an unknown feature", resigned("human_task", "time_travel"), MALFORMED, "The feature `time_travel`"),
    Variant("a day that is none", resigned("from 2", "from 2026-02-30\nuntil 2"), MALFORMED, "there is no such day"),
    Variant("a line in another order", resigned("tier professional\n", ""), MALFORMED, "Line 4 of the licence: `tier`"),
    Variant("a line nobody knows", resigned("holder", "colour blue\nholder"), MALFORMED, "`holder` is expected here"),
    Variant(
        "a line after the holder", resigned("Acme Ltd\n", "Acme Ltd\nfeature wait\n"), MALFORMED, "after the holder"
    ),
    Variant("a trial that a vendor signed", resigned("id lic_", "id trial_"), MALFORMED, "vendors sign licences"),
    Variant("far too long", lambda one: signed(one) + "— a/b AAAAAAAA\n" * 3_000, MALFORMED, "at most 32,768 bytes"),
]


@pytest.fixture
def genuine(operator: APIClient) -> Licence:
    """A licence that was accepted, and is in force."""
    accepted = licence(limits={"concurrent_runs": 25}, features=["human_task"])
    answer = operator.put("/api/v1/tenant/licence", {"licence": signed(accepted)})
    assert (answer.status_code, answer.json()["standing"]) == (200, "valid"), answer.content
    assert answer.json()["licence"]["limits"] == {"concurrent_runs": 25}
    return accepted


def test_only_the_genuine_one_is_taken(acme: Customer, operator: APIClient, genuine: Licence) -> None:
    before = licence_of(acme.tenant.id)
    assert len(VARIANTS) >= 25
    for variant in VARIANTS:
        answer = operator.put("/api/v1/tenant/licence", {"licence": variant.make(genuine)})
        problem = answer.json()
        found = (answer.status_code, problem["code"], problem.get("reason"))
        assert found == (422, "LICENCE_REFUSED", variant.reason), (variant.name, problem)
        assert variant.says in problem["detail"], variant.name
        assert problem["detail"].endswith("."), variant.name
        assert licence_of(acme.tenant.id) == before, variant.name
    with tenant_scope(acme.tenant.id):
        assert InstalledLicence.objects.count() == 1
        assert Entry.objects.filter(action="tenant.licence_installed").count() == 1


def test_a_row_that_somebody_edited_has_no_effect(acme: Customer, genuine: Licence) -> None:
    assert licence_of(acme.tenant.id) == genuine.terms
    signed_by_a_vendor = {OLDER, ID_TAKEN}  # in the place of another they are what was signed
    for variant in VARIANTS:
        if variant.reason not in signed_by_a_vendor:
            with unscoped("somebody writes into the database"):
                InstalledLicence.objects.update(note=variant.make(genuine))
            assert licence_of(acme.tenant.id) is None, variant.name


def test_a_row_copied_to_another_tenant_has_no_effect(acme: Customer, globex: Customer, operator: APIClient) -> None:
    assert operator.put("/api/v1/tenant/licence", {"licence": signed(licence())}).status_code == 200
    with unscoped("somebody writes into the database"):
        row = InstalledLicence.objects.get()
        InstalledLicence.objects.create(tenant=globex.tenant, licence_id=row.licence_id, note=row.note)
    assert licence_of(acme.tenant.id) is not None
    assert licence_of(globex.tenant.id) is None
