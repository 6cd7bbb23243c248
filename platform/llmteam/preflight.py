"""First look of a process at its settings and servers: what is refused stops the start, what is away is waited for."""

import logging
import re
import ssl
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from tenants.walls.coverage import read_coverage

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 3
CHANNEL: Final = "llmteam:preflight"

_DATABASE_REFUSALS: Final = re.compile(
    r"""
      (password|peer|certificate|SASL) [ ] authentication [ ] failed
    | no [ ] password [ ] supplied
    | (role|database) [ ] "[^"]*" [ ] does [ ] not [ ] exist
    | no [ ] such [ ] (user|database)\b  # PgBouncer's words
    | is [ ] not [ ] permitted [ ] to [ ] log [ ] in
    | permission [ ] denied [ ] for [ ] database
    | pg_hba\.conf
    | requires [ ] a [ ] valid [ ] client [ ] certificate
    | (SSL|GSSAPI [ ] encryption|channel [ ] binding) ( [ ] (was|is) )? [ ] required
    | SSL [ ] error: [ ] certificate
    | (root|server) [ ] certificate
    | (certificate|private [ ] key) [ ] file
    | weak [ ] sslmode
    | (sslmode|gssencmode) [ ] value .* [ ] invalid
    | unsupported [ ] startup [ ] parameter
    """,
    re.VERBOSE | re.IGNORECASE,
)
_REDIS_REFUSALS: Final = re.compile(
    r"DB index|protected mode|CERTIFICATE_VERIFY_FAILED|WRONG_VERSION_NUMBER", re.IGNORECASE
)


def is_refused_by_database(words: str) -> bool:
    """Whether words of Postgres, PgBouncer or libpq refuse a connection so that no waiting mends it.

    libpq gives no SQLSTATE of a connection that was not made, so the words decide: of the classes 28 (who may come
    in), 3D000 (no such database), 42501 (no right to connect), 08P01 (PgBouncer, of settings), and of TLS. A server
    whose ``lc_messages`` is not English is taken for one that is away, as is all that is not known here: one that
    starts, recovers, has no connection left or is not the primary *yet*.
    """
    return bool(_DATABASE_REFUSALS.search(words))


def is_refused_by_redis(error: Exception) -> bool:
    """Whether Redis refuses for good: the password, the user, a right, the number of the database, TLS.

    Of a server that loads, has no room or no connection left, or is a replica, waiting may mend that.
    """
    refused = redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.exceptions.NoPermissionError
    return isinstance(error, (*refused, ssl.SSLError)) or bool(_REDIS_REFUSALS.search(str(error)))


def stop_where_settings_are_wrong() -> None:
    """Read all settings.

    Raises:
        SystemExit: One of them is wrong; its sentence is printed, without a traceback.
    """
    try:
        settings.LOGGING  # noqa: B018 - whichever is asked for, all are read
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def read_faults(database: Mapping[str, Any], *, options: str = "") -> list[str]:
    """Open one connection to a database in Django's form, and ask what lets its login past the wall between tenants.

    Args:
        database: Where it is.
        options: Settings of the session, as the caller will ask for them.

    Returns:
        A sentence each; nothing where the wall stands, or where there is no table yet.

    Raises:
        psycopg.OperationalError: There is no connection.
    """
    with psycopg.connect(
        **database.get("OPTIONS", {}),
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        host=database["HOST"],
        port=database["PORT"],
        options=options,
        connect_timeout=CONNECT_SECONDS,
        application_name="llmteam preflight",
        autocommit=True,
        prepare_threshold=None,
    ) as connection:
        return read_coverage(connection.cursor()).faults()


def stop_where_database_refuses(setting: str, database: Mapping[str, Any], *, options: str = "") -> None:
    """Connect once, for a process that starts; arguments as ``read_faults``.

    Raises:
        SystemExit: The database refuses, or lets the login past the wall between tenants; the log has a sentence that
            names the setting. A database that is away costs a warning.
    """
    try:
        faults = read_faults(database, options=options)
    except psycopg.Error as error:
        words = in_one_line(error)
        if is_refused_by_database(words):
            _stop(f"{setting} cannot be honoured: {words}")
        log.warning("%s: the database is away and is waited for: %s", setting, words)
        return
    if faults:
        _stop(f"{setting} cannot be honoured: the wall between tenants stands open: {'; '.join(faults)}.")


def stop_where_redis_refuses(url: str) -> None:
    """Ask REDIS_URL for an answer and for a message on a channel of ours; ends as ``stop_where_database_refuses``."""
    seconds = {"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS}
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **seconds) as client:
            client.ping()
            client.publish(CHANNEL, b"")
    except (redis.RedisError, OSError) as error:
        words = in_one_line(error)
        if is_refused_by_redis(error):
            _stop(f"REDIS_URL cannot be honoured: {words}")
        log.warning("REDIS_URL: Redis is away and is waited for: %s", words)


def stop_where_wrong(look: Callable[[], object]) -> None:
    """Look at what a setting names.

    Raises:
        SystemExit: ``look`` has raised ``ImproperlyConfigured``; the log has its sentence.
    """
    try:
        look()
    except ImproperlyConfigured as error:
        _stop(str(error))


def in_one_line(error: Exception) -> str:
    """Write what was said without line breaks. libpq and Redis never repeat a password."""
    return " ".join(str(error).removeprefix("connection failed: ").removeprefix("connection is bad: ").split())


def _stop(sentence: str) -> None:
    log.critical("%s", sentence)
    raise SystemExit(1)
