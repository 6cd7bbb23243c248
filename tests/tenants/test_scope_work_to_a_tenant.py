"""The tenant in scope: what is seen inside, what happens outside, what the database is told."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from foundation.scope import APP_ROLE, SYSTEM_ROLE, NoTenantInScope, tenant_scope, unscoped
from kernel.ids import new_id
from segments.models import Segment
from tenants.database_roles import ensure_roles
from tests.conftest import Customer


def told() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute("select current_user::text, coalesce(current_setting('app.tenant', true), '')")
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def segments() -> list[str]:
    return list(Segment.objects.order_by("segment_id").values_list("segment_id", flat=True))


def make(customer: Customer, segment_id: str) -> Segment:
    return Segment.objects.create(tenant=customer.tenant, segment_id=segment_id)


def make_and_fail(customer: Customer) -> None:
    with tenant_scope(customer.tenant.id):
        make(customer, "undone")
        raise ZeroDivisionError


@pytest.fixture
def both(acme: Customer, globex: Customer) -> None:
    with unscoped("the test's ground"):
        make(acme, "a")
        make(globex, "g")


def test_without_a_scope_nothing_is_read(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        assert segments() == []
    for query in (Segment.objects.all, Segment.objects.count, lambda: Segment.objects.filter(segment_id="a")):
        with pytest.raises(NoTenantInScope):
            query()


def test_a_scope_sees_its_tenant_only(acme: Customer, globex: Customer, both: None) -> None:
    with tenant_scope(acme.tenant.id):
        assert segments() == ["a"]
    with tenant_scope(globex.tenant.id):
        assert segments() == ["g"]
    with unscoped("all of them"):
        assert segments() == ["a", "g"]
    with tenant_scope(new_id()):
        assert segments() == []


def test_scopes_nest_and_give_back_what_was(acme: Customer, globex: Customer, both: None) -> None:
    outside = told()
    with tenant_scope(acme.tenant.id):
        assert told() == (APP_ROLE, str(acme.tenant.id))
        with tenant_scope(acme.tenant.id):
            assert told() == (APP_ROLE, str(acme.tenant.id))
        with unscoped("between"):
            assert told() == (SYSTEM_ROLE, "")
            with tenant_scope(globex.tenant.id):
                assert told() == (APP_ROLE, str(globex.tenant.id))
                assert segments() == ["g"]
            assert told() == (SYSTEM_ROLE, "")
        assert told() == (APP_ROLE, str(acme.tenant.id))
        assert segments() == ["a"]
    assert told() == outside


def test_an_error_inside_undoes_the_scopes_work_and_gives_back_what_was(acme: Customer, globex: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        make(acme, "kept")
        with pytest.raises(ZeroDivisionError):
            make_and_fail(globex)
        with pytest.raises(DatabaseError), tenant_scope(acme.tenant.id), connection.cursor() as cursor:
            cursor.execute("select 1 / 0")
        assert told() == (APP_ROLE, str(acme.tenant.id))
        assert segments() == ["kept"]
    with unscoped("all of them"):
        assert segments() == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_outside_of_any_transaction_a_scope_is_one(acme: Customer) -> None:
    owner = told()[0]
    assert not connection.in_atomic_block
    with pytest.raises(ZeroDivisionError):
        make_and_fail(acme)
    assert told() == (owner, "")
    with tenant_scope(acme.tenant.id):
        assert connection.in_atomic_block
        make(acme, "kept")
    assert told() == (owner, "")
    with unscoped("all of them"):
        assert segments() == ["kept"]


def test_after_commit_work_waits_for_the_outermost_scope(
    acme: Customer, django_capture_on_commit_callbacks: Any
) -> None:
    done: list[str] = []
    with django_capture_on_commit_callbacks(execute=True), tenant_scope(acme.tenant.id):
        with tenant_scope(acme.tenant.id):
            transaction.on_commit(lambda: done.append("inner"))
        assert done == []
    assert done == ["inner"]


def test_unscoped_wants_a_reason(db: None) -> None:
    with pytest.raises(ValueError, match="why"), unscoped(""):
        pass


def test_the_roles_own_nothing_and_bypass_nothing(db: None) -> None:
    ensure_roles()
    with connection.cursor() as cursor:
        cursor.execute(
            "select rolname, rolsuper, rolcanlogin, rolbypassrls, rolcreaterole from pg_roles"
            " where rolname in (%s, %s) order by rolname",
            [APP_ROLE, SYSTEM_ROLE],
        )
        assert cursor.fetchall() == [
            (APP_ROLE, False, False, False, False),
            (SYSTEM_ROLE, False, False, False, False),
        ]
        cursor.execute("select count(*) from pg_tables where tableowner in (%s, %s)", [APP_ROLE, SYSTEM_ROLE])
        assert cursor.fetchone() == (0,)


def test_the_roles_have_rights_on_tables_made_later(acme: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("create table made_later (id bigserial primary key)")
    with tenant_scope(acme.tenant.id), connection.cursor() as cursor:
        cursor.execute("insert into made_later default values returning id")
        assert cursor.fetchone() == (1,)
    with (
        tenant_scope(acme.tenant.id),
        pytest.raises(DatabaseError, match=r"permission denied|must be owner"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("drop table made_later")
