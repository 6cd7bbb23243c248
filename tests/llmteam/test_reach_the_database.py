"""What DATABASE_URL says about a connection is done, or the start stops."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from devserver.folders import CHECKOUT
from llmteam import environment

PLAIN = "postgresql://user:p%40ss@db:6432/llmteam"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{PLAIN}?pool_timeout=3", "has the option 'pool_timeout', which is not supported; supported are: sslmode"),
        (f"{PLAIN}?sslmode=require&sslmode=disable", "has an option twice"),
        (f"{PLAIN}?sslrootcert=%2Fnowhere%2Fca.pem", "has sslrootcert=/nowhere/ca.pem; that file cannot be read"),
        (f"{PLAIN}?sslmode=on", "has sslmode=on; write one of: disable"),
        (f"{PLAIN}?sslmode", "has the options 'sslmode'; write"),
        (f"{PLAIN}?target_session_attrs=standby", "has target_session_attrs=standby; write one of: any, read-write"),
        ("postgresql://db:none/llmteam", "must look like"),
        ("mysql://db/llmteam", "must look like"),
    ],
)
def test_an_option_that_would_not_be_honoured_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, said: str
) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    monkeypatch.setenv("DATABASE_URL", f"{PLAIN}?sslmode=verify-full&sslrootcert={quote(str(authority), safe='')}")
    read = environment.database("DATABASE_URL")
    assert (read["HOST"], read["PORT"], read["PASSWORD"]) == ("db", "6432", "p@ss")
    assert read["OPTIONS"] == {"sslmode": "verify-full", "sslrootcert": str(authority)}
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL ") as refused:
        environment.database("DATABASE_URL")
    assert said in str(refused.value)


ASK = {
    "django": "from django.db import connection; connection.ensure_connection()",
    "engine": "from runs.engine.store.connection import connect; connect('test')",
    "session": "from runs.engine.store.connection import connect_session; connect_session('test')",
}


ASK_EACH = f"""
import django
django.setup()
for way, ask in {ASK!r}.items():
    try:
        exec(ask)
    except Exception as error:
        print(way, error)
    else:
        print(way, "connected")
"""


@pytest.mark.soak
@pytest.mark.django_db
def test_a_connection_that_has_to_be_encrypted_is_not_made_plain() -> None:
    """The server of the tests has no certificate, so that `require` can only be refused."""
    told = connection.settings_dict
    login = f"{quote(told['USER'])}:{quote(told['PASSWORD'])}"
    address = f"postgresql://{login}@{told['HOST']}:{told['PORT']}/{told['NAME']}"

    def connect(query: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", ASK_EACH],
            env={
                **os.environ,
                "PYTHONPATH": f"{CHECKOUT}/platform:{CHECKOUT}",
                "DJANGO_SETTINGS_MODULE": "llmteam.settings",
                "LLMTEAM_DEVELOPMENT": "1",
                "DATABASE_URL": address + query,
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert connect("") == connect("?sslmode=prefer") == "".join(f"{way} connected\n" for way in ASK)
    refused = connect("?sslmode=require")
    assert "connected" not in refused
    for way in ASK:
        said = refused.split(f"{way} ")[1].splitlines()
        assert "server does not support SSL, but SSL was required" in "".join(said)
