"""Create two demo tenants with keys and an administrator, and write how to sign in; for development only."""

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.scope import unscoped
from kernel.types import Json
from tenants.errors import KeyRefused
from tenants.models import ApiKey, Identity, MemberRole, Membership, Tenant, User
from tenants.selectors import find_caller
from tenants.services import create_api_key, create_tenant, revoke_api_key
from tenants.types import SCOPES

FIRST: Final = ("acme", "Acme Ltd")
SECOND: Final = ("globex", "Globex Corp")
TENANTS: Final = ((FIRST, "api_key"), (SECOND, "second_api_key"))
"""Each with the member of the file that has its key."""
ADMIN: Final = "admin"


class DemoPerson(NamedTuple):
    """A member of a demo tenant, who has no password: a key acts for them, or they sign in."""

    tenant: str
    email: str
    first_name: str
    last_name: str
    role: MemberRole
    groups: tuple[str, ...] = ()


REVIEWER: Final = DemoPerson(
    "acme", "rita@acme.example", "Rita", "Reviewer", MemberRole.REVIEWER, groups=("return_desk",)
)
PEOPLE: Final = (
    REVIEWER,
    DemoPerson("acme", "adam@acme.example", "Adam", "Admin", MemberRole.ADMIN),
    DemoPerson("globex", "gina@globex.example", "Gina", "Globex", MemberRole.REVIEWER),
)


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", required=True, help="where the API is reached")
        parser.add_argument("--output", type=Path, default=Path(".data/demo.json"), help="the file to write")
        parser.add_argument(
            "--development-issuer", default="", help="where the sign-in for development listens this time"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo tenants come with known names; they are made only where LLMTEAM_DEVELOPMENT=1.")
        output: Path = options["output"]
        before = _read(output)
        with unscoped("demo tenants are made for the whole installation"):
            keys = [_key_of(_tenant(*names), before.get(place), output) for names, place in TENANTS]
            members = [_member(person) for person in PEOPLE]
            _move_accounts(options["development_issuer"])
            access = {
                "base_url": options["base_url"],
                "tenant": FIRST[0],
                "api_key": keys[0],
                "second_tenant": SECOND[0],
                "second_api_key": keys[1],
                "reviewer": {"email": REVIEWER.email, "member_id": str(members[0].id)},
                "people": [person._asdict() for person in PEOPLE],
                "admin": {"username": ADMIN, "password": _password(before.get("admin"))},
            }
        _write(output, access)
        self.stdout.write(f"How to sign in stands in {output}.")


def _tenant(slug: str, name: str) -> Tenant:
    found = Tenant.objects.filter(slug=slug).first()
    return create_tenant(slug=slug, name=name) if found is None else found


def _key_of(tenant: Tenant, written: Json, output: Path) -> str:
    """Return the key of the file while it works; else a new one, in the place of those made for this file before."""
    if isinstance(written, str) and _works(written, tenant):
        return written
    name = f"demo, in {output.parent.name}/{output.name}"[:100]
    for earlier in ApiKey.objects.filter(tenant=tenant, name=name, revoked_at__isnull=True):
        revoke_api_key(tenant=tenant, api_key_id=earlier.id)
    return create_api_key(tenant=tenant, name=name).text


def _works(key_text: str, tenant: Tenant) -> bool:
    try:
        caller = find_caller(key_text=key_text)
    except KeyRefused:
        return False
    return caller.tenant == tenant and set(caller.scopes) == set(SCOPES)


def _member(wanted: DemoPerson) -> Membership:
    """Return the member, made where they are not there; what was changed since stays."""
    names = {"email": wanted.email, "first_name": wanted.first_name, "last_name": wanted.last_name}
    person, created = User.objects.get_or_create(username=wanted.email, defaults=names)
    if created:
        person.set_unusable_password()
        person.save(update_fields=["password"])
    member, _ = Membership.objects.get_or_create(
        tenant=Tenant.objects.get(slug=wanted.tenant),
        user=person,
        defaults={"role": wanted.role, "groups": list(wanted.groups)},
    )
    return member


def _move_accounts(issuer: str) -> None:
    """Have the accounts of earlier starts belong to this one's sign-in, which listens at another port each time."""
    if issuer:
        url = urlsplit(issuer)
        anywhere = rf"^{re.escape(f'{url.scheme}://{url.hostname}')}:[0-9]+{re.escape(url.path)}$"
        Identity.objects.filter(issuer__regex=anywhere).update(issuer=issuer)


def _password(written: Json) -> str:
    """Return the administrator's password: that of the file while it works, else a new one."""
    password = written.get("password") if isinstance(written, dict) else None
    person = User.objects.filter(username=ADMIN).first()
    if person is None:
        person = User(username=ADMIN)
    elif person.is_active and person.is_superuser and isinstance(password, str) and person.check_password(password):
        return password
    password = secrets.token_urlsafe(18)
    person.is_staff = person.is_superuser = person.is_active = True
    person.set_password(password)
    person.save()
    return password


def _read(path: Path) -> dict[str, Json]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, access: dict[str, Json]) -> None:
    """Replace the file in one step; nobody else on this machine may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(access, file, indent=2)
        file.write("\n")
    fresh.replace(path)
