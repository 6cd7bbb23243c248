"""The login of the processes a test starts: it owns nothing and may only become the platform's two roles."""

from typing import Final
from urllib.parse import quote

from django.db import connection
from psycopg import sql

LOGIN: Final = "llmteam_tests"
PASSWORD: Final = "owns-nothing"


def make_login() -> str:
    """Make it where it is absent, and return its name.

    Its password is hashed in one round where Postgres lets us: each connection of each process would do 4,096.
    """
    with connection.cursor() as cursor:
        cursor.execute("select set_config(name, '1', false) from pg_settings where name = 'scram_iterations'")
        cursor.execute("select 1 from pg_roles where rolname = %s", [LOGIN])
        if cursor.fetchone() is None:
            statement = sql.SQL("create role {} login noinherit password {}")
            cursor.execute(statement.format(sql.Identifier(LOGIN), sql.Literal(PASSWORD)))
    return LOGIN


def address_of_the_database(*, user: str = LOGIN, password: str = PASSWORD) -> str:
    """Write the address of the test's database, as a process of ours reaches it unless told otherwise."""
    told = connection.settings_dict
    return f"postgresql://{quote(user)}:{quote(password)}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
