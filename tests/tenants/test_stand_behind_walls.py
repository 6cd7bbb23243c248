"""The second wall: policies hold where the application forgets, and a process that could pass them does not start."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from foundation.scope import APP_ROLE, SYSTEM_ROLE, before_tenant, tenant_scope, unscoped
from llmteam.preflight import read_faults
from segments.models import Segment
from tenants.models import Identity, Tenant
from tenants.walls.coverage import OWNED_BY
from tenants.walls.policies import SYSTEM_POLICY, TENANT_POLICY, wall_statements
from tenants.walls.selectors import coverage_of_walls
from tenants.walls.without_policies import REASONS
from tests.conftest import Customer
from tests.support.processes.login import LOGIN, PASSWORD
from tests.support.tasks import make_member

MINE = "( SELECT (current_setting('app.tenant'::text, true))::uuid AS current_setting)"
SQL_OF_SEGMENTS = "select segment_id from segments_segment"


def tables_with_a_tenant() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name from information_schema.columns"
            " join information_schema.tables using (table_schema, table_name)"
            " where table_schema = 'public' and column_name = %s and table_type = 'BASE TABLE'",
            [OWNED_BY],
        )
        return {name for (name,) in cursor.fetchall()}


def asked(statement: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


@pytest.fixture
def both(acme: Customer, globex: Customer) -> None:
    with unscoped("the test's ground"):
        Segment.objects.create(tenant=acme.tenant, segment_id="a")
        Segment.objects.create(tenant=globex.tenant, segment_id="g")


def test_every_table_with_a_tenant_has_both_policies_and_forces_them(db: None) -> None:
    tables = tables_with_a_tenant() | {Tenant._meta.db_table}
    of_models = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if any(field.column == OWNED_BY for field in model._meta.local_fields)
    }
    assert tables == of_models | {Tenant._meta.db_table}
    with connection.cursor() as cursor:
        cursor.execute(
            "select tablename, policyname, roles::text[], cmd, permissive, qual, with_check from pg_policies"
            " where schemaname = 'public'"
        )
        found = set(map(repr, cursor.fetchall()))
        cursor.execute(
            "select relname from pg_class where relkind in ('r', 'p') and relrowsecurity and relforcerowsecurity"
        )
        assert {name for (name,) in cursor.fetchall()} == tables
    expected = set()
    for table in tables:
        mine = f"({'id' if table == Tenant._meta.db_table else OWNED_BY} = {MINE})"
        expected.add(repr((table, TENANT_POLICY, [APP_ROLE], "ALL", "PERMISSIVE", mine, mine)))
        expected.add(repr((table, SYSTEM_POLICY, [SYSTEM_ROLE], "ALL", "PERMISSIVE", "true", "true")))
    assert found == expected


def test_every_table_without_a_policy_has_a_reason(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relrowsecurity"
        )
        assert {name for (name,) in cursor.fetchall()} == set(REASONS)


def test_people_and_accounts_of_another_tenant_are_reached_through_no_membership(
    acme: Customer, globex: Customer
) -> None:
    """Their tables have no policy: whoever asks for them as the tenant's callers do is kept by the memberships'."""
    members = [make_member(one.tenant, "ann") for one in (acme, globex)]
    for member in members:
        Identity.objects.create(user=member.user, issuer="https://login.example", subject=str(member.id))
    asked_for = (
        "select email from tenants_user where id in (select user_id from tenants_membership)",
        "select subject from tenants_identity join tenants_membership using (user_id)",
    )
    for own in members:
        with tenant_scope(own.tenant_id):
            assert [asked(question) for question in asked_for] == [[own.user.email], [str(own.id)]]


def test_a_table_made_without_a_policy_is_named_until_it_has_one(db: None) -> None:
    whole = coverage_of_walls()
    assert whole.covered == len(whole.tables)
    with connection.cursor() as cursor:
        cursor.execute("create table made_later (id int, tenant_id uuid not null)")
        torn = coverage_of_walls()
        assert (len(torn.tables), torn.covered) == (len(whole.tables) + 1, whole.covered)
        assert any(fault.endswith("tables of tenants: made_later") for fault in torn.faults())
        for statement in wall_statements("made_later"):
            cursor.execute(statement)
    assert coverage_of_walls().covered == whole.covered + 1


def test_a_statement_that_names_no_tenant_sees_the_rows_of_the_one_in_scope(
    acme: Customer, globex: Customer, both: None
) -> None:
    with tenant_scope(acme.tenant.id):
        assert asked(SQL_OF_SEGMENTS) == ["a"]
        assert asked("select slug from tenants_tenant") == ["acme"]
        assert asked("update segments_segment set name = 'x' returning segment_id") == ["a"]
        assert asked("delete from segments_segment where segment_id = 'g' returning segment_id") == []
    with tenant_scope(globex.tenant.id):
        assert asked(SQL_OF_SEGMENTS) == ["g"]
    with unscoped("all of them"):
        assert asked("select segment_id from segments_segment order by 1") == ["a", "g"]


def test_before_a_tenant_is_known_no_row_is_seen(both: None) -> None:
    with before_tenant():
        for table in tables_with_a_tenant():
            assert asked(f"table {table}") == []
        assert asked("table tenants_tenant") == []


@pytest.mark.django_db(transaction=True)
def test_without_a_tenant_the_application_sees_nothing(both: None) -> None:
    told = connection.settings_dict
    login = {"host": told["HOST"], "port": told["PORT"], "dbname": told["NAME"], "user": LOGIN, "password": PASSWORD}
    with psycopg.connect(**login, autocommit=True) as plain:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute(SQL_OF_SEGMENTS)
        with plain.transaction():
            plain.execute(f"set local role {APP_ROLE}")
            assert plain.execute(SQL_OF_SEGMENTS).fetchall() == []
        with plain.transaction():
            plain.execute(f"set local role {APP_ROLE}")
            plain.execute("select set_config('app.tenant', '', true)")
            with pytest.raises(psycopg.errors.InvalidTextRepresentation), plain.transaction():
                plain.execute(SQL_OF_SEGMENTS)


def test_a_row_for_another_tenant_is_not_written(acme: Customer, globex: Customer, both: None) -> None:
    with tenant_scope(acme.tenant.id):
        Segment.objects.create(tenant=acme.tenant, segment_id="own")
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Segment.objects.create(tenant=globex.tenant, segment_id="theirs")
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Segment.objects.filter(segment_id="own").update(tenant=globex.tenant)


@contextmanager
def changed(change: str, back: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(back)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "back", "fault"),
    [
        (f"alter role {LOGIN} superuser", f"alter role {LOGIN} nosuperuser", "is a superuser"),
        (f"alter role {LOGIN} bypassrls", f"alter role {LOGIN} nobypassrls", f"login {LOGIN} has BYPASSRLS"),
        (
            f"grant {APP_ROLE} to {LOGIN} with inherit true",
            f"grant {APP_ROLE} to {LOGIN} with inherit false",
            f"has the rights of {APP_ROLE} or {SYSTEM_ROLE} without becoming it",
        ),
        (
            f"alter table segments_segment owner to {LOGIN}",
            "alter table segments_segment owner to current_user",
            "owns tables of tenants, and needs one that owns none: segments_segment",
        ),
        (
            "alter table segments_segment no force row level security",
            "alter table segments_segment force row level security",
            "not enabled and forced on tables of tenants: segments_segment",
        ),
        (
            "alter table segments_segment disable row level security",
            "alter table segments_segment enable row level security",
            "not enabled and forced on tables of tenants: segments_segment",
        ),
        (
            f"alter policy {TENANT_POLICY} on segments_segment using (true)",
            f"alter policy {TENANT_POLICY} on segments_segment using"
            " (tenant_id = (select current_setting('app.tenant', true)::uuid))",
            f"no policy that keeps {APP_ROLE} to its tenant: segments_segment",
        ),
        (
            "create policy wide on segments_segment for select using (true)",
            "drop policy wide on segments_segment",
            f"no policy that keeps {APP_ROLE} to its tenant: segments_segment",
        ),
        (
            f"alter role {SYSTEM_ROLE} bypassrls",
            f"alter role {SYSTEM_ROLE} nobypassrls",
            f"the role {SYSTEM_ROLE} is a superuser or has BYPASSRLS",
        ),
    ],
    ids=["superuser", "bypass", "inherits", "owner", "not forced", "disabled", "open policy", "second policy", "role"],
)
def test_whatever_lets_a_login_past_the_wall_is_said(change: str, back: str, fault: str) -> None:
    login = {**connection.settings_dict, "USER": LOGIN, "PASSWORD": PASSWORD}
    assert read_faults(login) == []
    with changed(change, back):
        (found,) = read_faults(login)
        assert fault in found
    assert read_faults(login) == []
