"""Notices of a locked operator account: an audit entry at once, and a mail to its owner."""

import logging
import smtplib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string

from audit.services import record
from kernel.types import Json
from tenants.models import User

log = logging.getLogger(__name__)

_MAILS: Final = ThreadPoolExecutor(1, thread_name_prefix="operators' mail")
"""Sends beside the logins: a slow mail server keeps nobody from signing in."""


def notify_of_lock(username: str, *, address: str, seconds: int) -> None:
    """Tell audit and owner that an account is locked; nothing where there is no such account.

    To be called once a lock, inside a transaction: its commit lets the mail go.
    """
    user = User.objects.filter(username__iexact=username.strip(), is_staff=True, is_active=True).first()
    if user is None:
        return
    after: dict[str, Json] = {"address": address, "seconds": seconds}
    record("account.locked", user, actor="system", after=after)
    if user.email:
        transaction.on_commit(partial(_MAILS.submit, _mail, user.email, user.get_username(), address, seconds))


def _mail(to: str, username: str, address: str, seconds: int) -> None:
    variables = {"username": username, "address": address, "minutes": -(-seconds // 60), "url": settings.PUBLIC_URL}
    try:
        send_mail("Somebody tries to sign in as you", render_to_string("operators/locked.txt", variables), None, [to])
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        log.warning("the owner of a locked account could not be told: %s", type(failure).__name__)
