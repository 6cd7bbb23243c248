"""One-time tickets for WebSockets, since a browser cannot send a key with one."""

import secrets
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from foundation.scope import tenant_scope
from kernel.admission import learn_tenant
from kernel.clock import utc_now
from runs.models import StreamTicket
from tenants.errors import KeyRefused
from tenants.selectors import find_member
from tenants.services import hash_for_keeping
from tenants.types import Caller
from tenants.walls.lookups import ask_for_tenant

TICKET_SECONDS: Final = 30
PREFIX: Final = "llmt_"
_SECRET_BYTES: Final = 32


class NewTicket(NamedTuple):
    """A ticket just made; ``text`` is its only copy."""

    text: str
    expires_at: datetime


def issue_ticket(*, caller: Caller) -> NewTicket:
    """Make a ticket that stands for the caller once, within 30 seconds. Only a keyed hash is kept.

    Forgets the tenant's old tickets on the way.
    """
    text = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    expires_at = utc_now() + timedelta(seconds=TICKET_SECONDS)
    with tenant_scope(caller.tenant.id):
        StreamTicket.objects.filter(expires_at__lt=utc_now()).delete()
        StreamTicket.objects.create(
            tenant=caller.tenant,
            api_key=caller.api_key,
            member=caller.member,
            secret_hash=hash_for_keeping(text=text),
            expires_at=expires_at,
            stream_until=caller.expires_at,
            secret_number=caller.secret_number,
        )
    return NewTicket(text, expires_at)


def use_ticket(*, text: str) -> Caller:
    """Take a ticket in and find whom it stands for. Of any number who show the same ticket one is let in.

    Raises:
        KeyRefused: Not a ticket, used, too old, or its key is not valid any more; the caller is not told which.
    """
    if not text.startswith(PREFIX) or len(text) > 100:
        raise KeyRefused
    secret_hash = hash_for_keeping(text=text)
    tenant_id = ask_for_tenant("select public.tenant_of_ticket(%s)", secret_hash)
    if tenant_id is None:
        raise KeyRefused
    with tenant_scope(tenant_id):
        # Whoever waits for this lock finds the row gone.
        ticket = (
            StreamTicket.objects.select_for_update(of=("self",))
            .select_related("tenant", "api_key__tenant", "member__user")
            .filter(secret_hash=secret_hash)
            .first()
        )
        if ticket is None:
            raise KeyRefused
        ticket.delete()
    caller = Caller(
        ticket.tenant,
        ticket.api_key,
        ticket.member,
        expires_at=ticket.stream_until,
        secret_number=ticket.secret_number,
    )
    if ticket.expires_at <= utc_now() or not ticket.tenant.is_active or not caller.is_live():
        raise KeyRefused
    if ticket.member is not None and find_member(ticket.member.id) is None:
        raise KeyRefused
    learn_tenant(ticket.tenant.id)
    return caller
