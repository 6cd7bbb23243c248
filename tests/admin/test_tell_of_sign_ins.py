"""The audit tells of operators' sign-ins by a password, and of wrong passwords for an operator's account."""

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from tenants.models import User

PASSWORD = "a long enough password"
pytestmark = pytest.mark.django_db(transaction=True)


def sign_in(username: str, password: str) -> int:
    return Client().post("/admin/login/?next=/admin/", {"username": username, "password": password}).status_code


def test_a_sign_in_and_a_refusal_are_told_and_strangers_names_are_not() -> None:
    operator = User.objects.create_superuser(username="chief", password=PASSWORD, email="chief@example.com")
    User.objects.create_user(username="somebody", password=PASSWORD)
    assert sign_in("chief", PASSWORD) == 302
    assert sign_in("chief", "a wrong password") == 200
    assert sign_in("nobody", PASSWORD) == 200
    assert sign_in("somebody", PASSWORD) == 200
    with unscoped("tests look at everything"):
        told = list(Entry.objects.filter(action__startswith="operator.").order_by("created_at"))
    assert [(one.action, one.actor, one.object_id, one.outcome) for one in told] == [
        ("operator.signed_in", f"user:{operator.pk}", str(operator.pk), "done"),
        ("operator.sign_in_refused", "anonymous", str(operator.pk), "refused"),
    ]
    assert all(one.after == {"by": "password"} and one.source for one in told)
