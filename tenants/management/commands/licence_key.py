"""Make a pair of keys for licences: a private one that signs, and the verifier key that LICENCE_KEYS takes. Offline."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.signed_notes import NoteKeyMalformed, new_signer


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own name and type

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the vendor, as a URL without its scheme: vendor.example/licences")
        parser.add_argument("--private", type=Path, required=True, help="a new file for the private key")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            signer = new_signer(options["name"])
        except NoteKeyMalformed as error:
            raise CommandError(str(error)) from None
        try:
            with os.fdopen(os.open(options["private"], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(f"{signer.reveal()}\n")
        except OSError as error:
            raise CommandError(f"The private key cannot be kept: {error.strerror}.") from None
        self.stdout.write(signer.verifier.text)
