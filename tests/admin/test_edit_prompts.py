"""Operators read and edit stored prompts; an edit is a new version, by the rules the API has."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from segments.models import PromptTemplate, PromptVersion
from segments.prompts.rules import PromptTexts
from segments.prompts.services import save_prompt
from tests.conftest import Customer

ADD = reverse("admin:segments_prompttemplate_add")


def filled(customer: Customer, **more: str) -> dict[str, str]:
    return {"tenant": str(customer.tenant.pk), "template_id": "letter", "prompt": "Write {{ input }}", **more}


def the_prompt() -> PromptTemplate:
    with unscoped("looking at what was written"):
        return PromptTemplate.objects.select_related("current_version").get()


def versions() -> list[Any]:
    with unscoped("looking at what was written"):
        return list(PromptVersion.objects.order_by("number").values_list("number", "prompt"))


def test_one_is_made_with_its_first_version(console: Client, acme: Customer) -> None:
    assert console.post(ADD, filled(acme)).status_code == 302
    assert versions() == [(1, "Write {{ input }}")]
    with unscoped("looking at what was written"):
        entry = Entry.objects.get(object_type="prompt")
    assert (entry.action, entry.actor[:5]) == ("prompt.saved", "user:")


def test_an_edit_is_a_new_version_and_the_old_one_stays(console: Client, acme: Customer) -> None:
    console.post(ADD, filled(acme))
    change = reverse("admin:segments_prompttemplate_change", args=[the_prompt().pk])
    assert "Write {{ input }}" in console.get(change).text, "the form shows what there is"
    assert console.post(change, {"prompt": "Write\r\nnicely", "system_prompt": ""}).status_code == 302
    assert versions() == [(1, "Write {{ input }}"), (2, "Write\nnicely")]
    assert str(the_prompt().current_version) == "letter@2"


def test_what_the_api_saved_is_the_same_version_here(console: Client, acme: Customer) -> None:
    save_prompt(tenant=acme.tenant, actor="system", template_id="letter", texts=PromptTexts("Write\nnow"))
    change = reverse("admin:segments_prompttemplate_change", args=[the_prompt().pk])
    assert console.post(change, {"prompt": "Write\r\nnow", "system_prompt": ""}).status_code == 302
    assert versions() == [(1, "Write\nnow")]


@pytest.mark.parametrize(
    ("flaw", "sentence"),
    [
        ({"prompt": "Write {{ input. }}"}, "position"),
        ({"system_prompt": "{{ ("}, "not closed"),
        ({"template_id": "Letter"}, "lower case"),
        ({"prompt": "   "}, "is empty"),
    ],
)
def test_a_flaw_is_told_at_its_field_and_nothing_is_saved(
    console: Client, acme: Customer, flaw: dict[str, str], sentence: str
) -> None:
    answer = console.post(ADD, filled(acme, **flaw))
    assert answer.status_code == 200
    assert sentence in answer.text
    assert versions() == []


def test_a_name_that_is_taken_is_refused(console: Client, acme: Customer, globex: Customer) -> None:
    assert console.post(ADD, filled(acme)).status_code == 302
    again = console.post(ADD, filled(acme, prompt="Other"))
    assert "has a prompt of this name" in again.text
    assert console.post(ADD, filled(globex)).status_code == 302


def test_a_version_s_page_shows_its_texts_as_text(console: Client, acme: Customer) -> None:
    console.post(ADD, filled(acme, prompt="<b>bold</b> {{ input }}"))
    with unscoped("looking at what was written"):
        version = PromptVersion.objects.get()
    page = console.get(reverse("admin:segments_promptversion_change", args=[version.pk])).text
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
