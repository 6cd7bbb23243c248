"""Commands of the audit say in a sentence what was mistyped."""

import pytest
from django.core.management import CommandError, call_command

from tests.conftest import Customer
from tests.support.audit_entries import make_log

pytestmark = pytest.mark.django_db(transaction=True)

MISTYPED = {
    "no tenant": [
        ("prune_audit", "--before", "2026-01-31", "--tenant", "nobody"),
        ("verify_audit", "--tenant", "nobody"),
        ("audit_key", "--public", "--tenant", "nobody"),
        ("erase_person", "member:m1", "--tenant", "nobody"),
        ("export_audit", "{place}", "--tenant", "nobody"),
    ],
    "neither a date": [("prune_audit", "--before", "yesterday"), ("prune_audit", "--before", "2026-02-30")],
    "is not member:<id>": [("erase_person", "Ann"), ("erase_person", "member:"), ("erase_person", "tenant:t1")],
}


@pytest.mark.parametrize(
    ("sentence", "words"), [(sentence, words) for sentence, found in MISTYPED.items() for words in found]
)
def test_what_is_mistyped_is_told_in_a_sentence(
    acme: Customer, tmp_path: object, sentence: str, words: tuple[str, ...]
) -> None:
    make_log(acme)
    with pytest.raises(CommandError) as refused:
        call_command(*(word.format(place=f"{tmp_path}/log") for word in words))
    assert sentence in str(refused.value)
