"""Verify an export: hold every file of the archive against its manifest. Asks no database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.lifecycle.archive import ArchiveRefused, verify_archive


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the zip")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = verify_archive(options["file"])
        except ArchiveRefused as error:
            raise CommandError(str(error)) from None
        rows = sum(file["rows"] for file in manifest["files"])
        tenant = manifest["tenant"]["slug"]
        self.stdout.write(
            f"{len(manifest['files'])} files, {rows:,} rows of {tenant}, taken at {manifest['taken_at']}: verified."
        )
