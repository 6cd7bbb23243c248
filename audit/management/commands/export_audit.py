"""Export the log of a tenant, or of the installation, to a folder or a zip that verifies by itself."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.errors import LogEmpty
from audit.management.arguments import tenant_id_of
from audit.reading.export import export_log
from foundation.zip_stream import zip_of


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", type=Path, help="a folder that is not there yet, or a file that ends with .zip")
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--tenant", help="the log of this one")
        whose.add_argument("--installation", action="store_true", help="the log of the installation")

    def handle(self, *args: Any, **options: Any) -> None:
        place: Path = options["place"]
        if place.exists():
            raise CommandError(f"{place} is there already.")
        tenant_id = tenant_id_of(options["tenant"])
        try:
            log, files = export_log(tenant_id, actor="system")
        except LogEmpty:
            raise CommandError("Nothing is sealed yet.") from None
        if place.suffix == ".zip":
            with place.open("xb") as file:
                file.writelines(zip_of(files))
        else:
            _write_folder(place, files)
        self.stdout.write(f"{log.log.origin}: {log.last.size} entries in {place}")


def _write_folder(place: Path, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    for name, parts in files:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.writelines(parts)
