"""The text of a licence has one spelling: what is written is read back, and nothing else is read."""

from dataclasses import replace
from datetime import date

import pytest

from tenants.licences.terms import LicenceMalformed, new_licence_id, read_licence, write_licence
from tests.support.licences import licence

TEXT = """llmteam-licence/v1
id lic_01kb3p5q8e7x9v2m4n6r8t0w1y
tenant acme
tier professional
from 2026-12-01
until 2027-12-01
limit concurrent_runs 25
limit runs_per_day unlimited
feature human_task
holder Acme Ltd
"""


def test_reads_what_people_read() -> None:
    found = read_licence(TEXT)
    assert (found.tenant, found.tier, found.holder) == ("acme", "professional", "Acme Ltd")
    assert (found.first_day, found.last_day) == (date(2026, 12, 1), date(2027, 12, 1))
    assert (found.limits, found.features) == ({"concurrent_runs": 25, "runs_per_day": None}, ["human_task"])
    assert found.terms.limits == {"concurrent_runs": 25, "runs_per_day": None}
    assert write_licence(found) == TEXT


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_licence_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 100


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("llmteam-licence/v1", "llmteam-licence/v1 ", "begins with the line llmteam-licence/v1"),
        ("lic_01", "LIC_01", "Line 2 of the licence: this is no id"),
        ("lic_01", "lic_0u", "Line 2 of the licence: this is no id"),
        ("tenant acme", "tenant acme corp", "Line 3 of the licence: this is no tenant"),
        ("tenant acme", "tenant  acme", "Line 3 of the licence: this is no tenant"),
        ("professional", "Professional", "there are free, starter, professional, enterprise"),
        ("from 2026-12-01", "from 2026-12-1", "Line 5 of the licence: this is no from"),
        ("from 2026-12-01", "from 2027-12-02", "Line 6 of the licence: the last day comes before the first"),
        ("until 2027", "until 9999", "Line 6 of the licence: a licence ends in 2999 at the latest"),
        ("runs 25", "runs 025", "The limit `concurrent_runs` is a whole number or unlimited"),
        ("runs 25", "runs 9007199254740992", "The limit `concurrent_runs` is a whole number or unlimited"),
        ("runs 25", "runs", "The limit `concurrent_runs` is a whole number or unlimited"),
        ("runs 25", "runs 2\N{ARABIC-INDIC DIGIT FIVE}", "The limit `concurrent_runs` is a whole number or unlimited"),
        ("feature human_task", "feature human_task\nfeature human_task", "Line 10 of the licence: this feature comes"),
        ("feature human_task", "feature human_task twice", "The feature `human_task twice` is not known"),
        ("feature human_task\n", "feature human_task\n\n", "Line 10 of the licence: `holder` is expected here"),
        ("Acme Ltd", "", "this is no holder"),
        ("Acme Ltd", "A" * 201, "this is no holder"),
        ("Acme Ltd", "Acme\N{RIGHT-TO-LEFT OVERRIDE}Ltd", "this is no holder"),
        ("holder Acme Ltd\n", "", "Line 10 of the licence: `holder` is expected here"),
        ("Acme Ltd\n", "Acme Ltd", "needs a line end, too"),
        ("Acme Ltd", "Acme Ltd" + "\nholder Acme Ltd" * 200, "at most 200 lines"),
        ("Acme Ltd", "A" * 20_000, "16,384 bytes"),
    ],
)
def test_a_fault_is_told_in_a_sentence(before: str, after: str, says: str) -> None:
    assert read_licence(TEXT)
    assert before in TEXT
    with pytest.raises(LicenceMalformed, match=r"\.$") as refused:
        read_licence(TEXT.replace(before, after, 1))
    assert says in str(refused.value)


def test_nothing_is_written_that_nobody_could_read() -> None:
    genuine = licence()
    assert write_licence(genuine)
    for wrong in (replace(genuine, holder="a\nb"), replace(genuine, tier="gold"), replace(genuine, features=["a"] * 2)):
        with pytest.raises(LicenceMalformed):
            write_licence(wrong)
