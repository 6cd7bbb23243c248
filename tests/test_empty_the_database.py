"""Between tests that commit nothing is left, and what migrating makes is as it was."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from tenants.models import Tenant, User
from tests.support.database.cleanup import FEW_ROWS
from tests.support.engine import make_tenant, queue_runs
from tests.support.segments import segment, step

pytestmark = pytest.mark.django_db(transaction=True)


def made_by_migrating() -> set[tuple[str, ...]]:
    kinds = ContentType.objects.values_list("app_label", "model")
    return {*kinds, *Permission.objects.values_list("content_type__app_label", "codename", "name")}


def empty() -> None:
    call_command("flush", interactive=False, verbosity=0)


@pytest.mark.parametrize("count", [1, FEW_ROWS + 1])
def test_rows_go_be_they_few_or_many(count: int) -> None:
    made = made_by_migrating()
    queue_runs(make_tenant(), segment(step("one")), count)
    person = User.objects.create(username="ann")
    person.groups.add(Group.objects.create(name="finance"))
    person.user_permissions.add(*Permission.objects.all()[:3])
    empty()
    assert not User.objects.exists()
    assert not Group.objects.exists()
    assert not Tenant.objects.exists()
    assert made_by_migrating() == made


def test_what_migrating_made_is_made_anew_once_a_test_has_changed_it() -> None:
    made = made_by_migrating()
    Permission.objects.filter(codename="add_user").update(name="something else")
    assert made_by_migrating() != made
    empty()
    assert made_by_migrating() == made
    ContentType.objects.filter(model="user").delete()
    empty()
    assert made_by_migrating() == made
    ContentType.objects.create(app_label="nobody", model="nothing")
    empty()
    assert made_by_migrating() == made
