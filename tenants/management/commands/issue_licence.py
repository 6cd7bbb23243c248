"""Issue a licence: print its text, signed. Needs the private key only, no database and no network."""

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.clock import utc_now
from kernel.signed_notes import NoteKeyMalformed, NoteSigner, read_signer, sign_note
from tenants.entitlements.tiers import TIERS
from tenants.licences.terms import UNLIMITED, Licence, LicenceMalformed, new_licence_id, write_licence


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own name and type

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", help="the tenant's short name")
        parser.add_argument("--private", type=Path, required=True, help="the file that licence_key made")
        parser.add_argument("--tier", required=True, choices=TIERS)
        parser.add_argument("--from", dest="first_day", type=date.fromisoformat, help="first day; today by default")
        parser.add_argument("--until", dest="last_day", type=date.fromisoformat, required=True, help="last day (UTC)")
        parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER", help=f"or {UNLIMITED}")
        parser.add_argument("--feature", action="append", default=[])
        parser.add_argument("--holder", required=True, help="who it is issued to")

    def handle(self, *args: Any, **options: Any) -> None:
        licence = Licence(
            licence_id=new_licence_id(),
            tenant=options["tenant"],
            tier=options["tier"],
            first_day=options["first_day"] or utc_now().date(),
            last_day=options["last_day"],
            limits=dict(map(_limit, options["limit"])),
            features=options["feature"],
            holder=options["holder"],
        )
        try:
            text = write_licence(licence)
        except LicenceMalformed as error:
            raise CommandError(str(error)) from None
        self.stdout.write(sign_note(text, _signer(options["private"])), ending="")


def _limit(written: str) -> tuple[str, int | None]:
    name, _, value = written.partition("=")
    if value != UNLIMITED and not (value.isascii() and value.isdecimal()):
        raise CommandError(f"--limit {written}: write NAME=NUMBER or NAME={UNLIMITED}.")
    return name, None if value == UNLIMITED else int(value)


def _signer(path: Path) -> NoteSigner:
    try:
        return read_signer(path.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise CommandError(f"The private key cannot be read: {error.strerror}.") from None
    except (NoteKeyMalformed, UnicodeError) as error:
        raise CommandError(f"{path} holds no private key. {error}") from None
