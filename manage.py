#!/usr/bin/env python
"""Django's command line."""

import os
import sys
from pathlib import Path

AS_OWNER = {"changepassword", "createsuperuser", "ensure_roles", "makemigrations", "migrate", "showmigrations"}
"""Commands that work on tables as no role of the platform: as the login that owns them, where one is named."""
WITHOUT_SERVERS = {
    "help",
    "version",
    "check",
    "diffsettings",
    "makemigrations",
    "spectacular",
    "collectstatic",
    "verify_export",
}


def main() -> None:
    """Run the command in ``sys.argv``."""
    sys.path.insert(1, str(Path(__file__).resolve().parent / "platform"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
    if os.environ.get("LLMTEAM_DEVELOPMENT") == "1" and _connects(sys.argv[1:]):
        _provide_servers()
    from django.conf import settings  # noqa: PLC0415 - after the path is set
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - as above
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - as above
    from django.db import OperationalError  # noqa: PLC0415 - as above

    from llmteam.preflight import in_one_line, is_refused_by_database  # noqa: PLC0415 - as above

    try:
        if AS_OWNER.intersection(sys.argv[1:2]) and settings.DATABASE_OWNER is not None:
            settings.DATABASES["default"] = settings.DATABASE_OWNER
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except OperationalError as error:
        if not is_refused_by_database(str(error)):
            raise
        is_owner = settings.DATABASES["default"] is settings.DATABASE_OWNER
        setting = "DATABASE_OWNER_URL" if is_owner else "DATABASE_URL"
        sys.exit(f"{setting} cannot be honoured: {in_one_line(error)}")


def _connects(arguments: list[str]) -> bool:
    return bool(arguments) and arguments[0] not in WITHOUT_SERVERS and not {"--help", "-h"}.intersection(arguments)


def _provide_servers() -> None:
    """Use the servers of `make run`, or start them for this command; the environment's own come first."""
    from devserver.errors import DevserverError  # noqa: PLC0415 - development only
    from devserver.servers import ensure  # noqa: PLC0415 - development only

    try:
        ensure("run")
    except DevserverError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
