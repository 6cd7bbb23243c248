"""The two roles are made once, and may be asked for again by a login that may make none."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from devserver.folders import CHECKOUT


def address(*, user: str, password: str, database: str) -> str:
    told = connection.settings_dict
    return f"postgresql://{quote(user)}:{quote(password)}@{told['HOST']}:{told['PORT']}/{database}"


def ensure_roles(url: str, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), "ensure_roles", *options],
        env={**os.environ, "DATABASE_URL": url, "LLMTEAM_DEVELOPMENT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.fixture
def plain(transactional_db: None) -> Iterator[tuple[str, str]]:
    """The addresses of a database: as its owner, who may make no roles, and as an administrator."""
    told = connection.settings_dict
    name, password = f"plain_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(
        address(user=told["USER"], password=told["PASSWORD"], database=told["NAME"]), autocommit=True
    ) as admin:
        login = sql.Identifier(name)
        admin.execute(sql.SQL("create role {} login nocreaterole password {}").format(login, sql.Literal(password)))
        admin.execute(sql.SQL("create database {} owner {}").format(login, login))
        yield (
            address(user=name, password=password, database=name),
            address(user=told["USER"], password=told["PASSWORD"], database=name),
        )
        admin.execute(sql.SQL("drop database {} with (force)").format(login))
        admin.execute(sql.SQL("drop role {}").format(login))


@pytest.mark.soak
def test_a_login_that_may_make_no_roles_repeats_it_once_it_is_a_member(plain: tuple[str, str]) -> None:
    as_owner, as_admin = plain
    code, said = ensure_roles(as_owner)
    assert code != 0
    assert "llmteam_app" in said, "it cannot make itself a member"
    login = as_owner.rpartition("/")[2]
    assert ensure_roles(as_admin, "--login", login) == (0, "")
    assert ensure_roles(as_owner) == (0, "")
