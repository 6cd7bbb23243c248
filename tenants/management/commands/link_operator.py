"""Link an account of the installation's provider to an operator, who can sign in to the console with it. Repeatable."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.services import record
from foundation.scope import unscoped
from tenants.models import Identity, User


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="an operator, as createsuperuser made them")
        parser.add_argument("subject", help="the provider's name for them (sub), as the trial in the console shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.OIDC_ISSUER:
            raise CommandError("OIDC_ISSUER is not set: there is no provider whose accounts could be linked.")
        with unscoped("operators belong to no tenant"):
            user = User.objects.filter(username=options["username"], is_staff=True, is_active=True).first()
            if user is None:
                raise CommandError(f"There is no active operator {options['username']!r}.")
            row, made = Identity.objects.get_or_create(
                issuer=settings.OIDC_ISSUER, subject=options["subject"], defaults={"user": user}
            )
            if row.user_id != user.pk:
                raise CommandError("The account is somebody else's: unlink it in the console first.")
            if made:
                _audit(user)
        self.stdout.write(f"{user.username} signs in as {row}.")


def _audit(user: User) -> None:
    record("operator.account_linked", user, actor="system", after={"issuer": settings.OIDC_ISSUER})
