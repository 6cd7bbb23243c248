"""Notices of operators' sign-ins in the audit; of a locked account also a mail to its owner."""

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
    user = _operator(username)
    if user is None:
        return
    after: dict[str, Json] = {"address": address, "seconds": seconds}
    record("account.locked", user, actor="system", after=after)
    if user.email:
        transaction.on_commit(partial(_MAILS.submit, _mail, user.email, user.get_username(), address, seconds))


def record_sign_in(username: str, *, is_in: bool) -> None:
    """Tell the audit that an operator has signed in by a password, or that one was wrong; to be called once judged.

    Of names that are no operator's nothing is told: anybody may try any number of them. Of each operator's no more is
    told than passwords are judged.
    """
    user = _operator(username)
    if user is None:
        return
    if is_in:
        record("operator.signed_in", user, actor=f"user:{user.pk}", after={"by": "password"})
    else:
        record("operator.sign_in_refused", user, actor="anonymous", after={"by": "password"}, outcome="refused")


def _operator(username: str) -> User | None:
    if "\x00" in username:  # no database could have kept such a name, nor be asked for it
        return None
    return User.objects.filter(username__iexact=username.strip(), is_staff=True, is_active=True).first()


def _mail(to: str, username: str, address: str, seconds: int) -> None:
    variables = {"username": username, "address": address, "minutes": -(-seconds // 60), "url": settings.PUBLIC_URL}
    try:
        send_mail("Somebody tries to sign in as you", render_to_string("operators/locked.txt", variables), None, [to])
    except (smtplib.SMTPException, OSError, ValueError) as failure:
        log.warning("the owner of a locked account could not be notified: %s", type(failure).__name__)
