"""Arguments that several commands of the audit take."""

import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from uuid import UUID

from django.core.management.base import CommandError

from audit.types import PERSON
from kernel.errors import LlmteamError
from tenants.lifecycle.suspension import get_tenant_by_slug


def tenant_id_of(slug: str | None) -> UUID | None:
    """Find the tenant of a short name; None stands for the installation.

    Raises:
        CommandError: There is no such tenant.
    """
    if slug is None:
        return None
    try:
        return get_tenant_by_slug(slug).id
    except LlmteamError as error:
        raise CommandError(error.detail) from None


def read_person(text: str) -> str:
    """Read the name of a person, as entries name who acts."""
    if not re.fullmatch(PERSON, text):
        raise ArgumentTypeError(f"{text!r} is not member:<id>, user:<id> or key:<public id>, as entries name who acts")
    return text


def read_time(text: str) -> datetime:
    """Read a date, or a time by RFC 3339; in UTC where it names no other zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither a date (2026-01-31) nor a time by RFC 3339") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
