"""Print the verifier key of a log, or make a new AUDIT_SIGNING_KEY."""

import base64
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.errors import LogEmpty
from audit.management.arguments import tenant_id_of
from audit.reading.files import LogFiles, scope_of
from audit.sealing.keys import SECRET_BYTES, keys_of


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--public", action="store_true", help="print the verifier keys of a log, the newest last")
        parser.add_argument("--tenant", help="whose log; without it the installation's")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["public"]:
            self.stdout.write(base64.b64encode(os.urandom(SECRET_BYTES)).decode())
            return
        tenant_id = tenant_id_of(options["tenant"])
        with scope_of(tenant_id):
            try:
                log = LogFiles(tenant_id).log
            except LogEmpty:
                raise CommandError("Nothing is sealed yet, so no key has signed.") from None
            for key in keys_of(log.id):
                self.stdout.write(key.verifier)
