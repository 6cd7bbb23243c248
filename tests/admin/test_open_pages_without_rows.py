"""Every page of the console where there is nothing to see yet."""

from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import every_model, page


@every_model
def test_an_empty_list_opens(console: Client, model: type[Model]) -> None:
    assert console.get(page(model, "changelist")).status_code == 200


@every_model
def test_an_unknown_row_leads_home(console: Client, model: type[Model]) -> None:
    for unknown in ["01890000-0000-7000-8000-000000000000", "7", "nonsense"]:
        answer = console.get(page(model, "change", unknown))
        assert answer.status_code == 302
        assert answer["Location"] == reverse("admin:index")
