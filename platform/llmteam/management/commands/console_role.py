"""Command that gives somebody a role in the console."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from audit.services import record
from foundation.scope import unscoped
from kernel.types import Json
from llmteam.operators.roles import ROLES, ensure_roles_of_console
from tenants.models import User


class Command(BaseCommand):
    """Makes the roles up to date, and gives one of them to a user of the console."""

    help = "Give a user of the console a role: operator, auditor (reads) or support (reads, no data of tenants)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take who, and which role."""
        parser.add_argument("username")
        parser.add_argument("role", choices=ROLES)

    def handle(self, *args: Any, username: str, role: str, **options: Any) -> None:
        """Give the role, and take others away."""
        with unscoped("operators belong to no tenant"), transaction.atomic():
            user = User.objects.filter(username=username).first()
            if user is None:
                raise CommandError(f"There is no user {username}. Make one with: manage.py createsuperuser")
            ensure_roles_of_console()
            before = sorted(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
            user.groups.remove(*Group.objects.filter(name__in=ROLES))
            user.groups.add(Group.objects.get(name=role))
            user.is_staff, user.is_superuser = True, False
            user.save(update_fields=["is_staff", "is_superuser"])
            record(
                "user.role_changed", user, actor="system", before={"roles": list[Json](before)}, after={"roles": [role]}
            )
        self.stdout.write(f"{username} has the role {role} in the console.")
