"""Mail sender: a thread in each worker that sends due mails. It needs Postgres alone: a lost message loses no mail."""

import logging
import smtplib
import threading
from collections import deque

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, InterfaceError, connection

from humantasks.mail.outbox import extend_lease, put_back, settle, take_due
from humantasks.mail.writing import write_mail
from humantasks.models import Notice
from tenants.admin_mails.sending import mail_due_to_admins
from tenants.licences.notices import mail_due_notices
from tenants.members.mails import mail_due_invitations

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
STOP_SECONDS = 15.0


class MailSender:
    """Looks every second; what is due is sent over one connection to the mail server."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send_forever, name="mail sender", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End, once the mail under way is sent."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _send_forever(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            try:
                tried = send_due() + mail_due_invitations() + mail_due_to_admins() + mail_due_notices()
                pause = 0.0 if tried else LOOK_SECONDS
            except (DatabaseError, InterfaceError) as error:
                log.warning("mails cannot be sent now: %s", error)
                pause = AWAY_SECONDS
            except Exception:  # the thread's outermost: nobody else would tell
                log.exception("unexpected error while sending mails")
                pause = AWAY_SECONDS
            if pause == AWAY_SECONDS:
                connection.close()


def send_due() -> int:
    """Send what is due; return how many mails were taken for that.

    A mail is sent at least once: a process that is killed between the mail server's yes and the commit that keeps it
    leaves a mail that another one sends again. A server that goes away costs a try of the mail it left at; those behind
    are due at once. One that cannot be reached at all costs a try of each.
    """
    taken = take_due()
    if not taken:
        return 0
    waiting, is_reached = deque(taken), False
    try:
        with get_connection() as mail:
            is_reached = True
            while waiting:
                _send(waiting[0], mail)
                waiting.popleft()
    except OSError as error:  # smtplib's own are of this kind
        _put_off(waiting, error, is_reached=is_reached)
    return len(taken)


def _send(notice: Notice, mail: BaseEmailBackend) -> None:
    """Send a mail, if it is still needed, and keep what became of it.

    Raises:
        OSError: The server has gone.
    """
    if not extend_lease(notice):
        return
    error = ""
    try:
        message = write_mail(notice)
        message.connection = mail
        message.send()
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as refused:
        log.warning("a mail was refused: %s", type(refused).__name__)
        error = f"The mail server refused it ({type(refused).__name__})."
    except ValueError as flaw:  # an address or a header that no mail may have; never quoted: it may hold anything
        log.warning("a mail cannot be written: %s", type(flaw).__name__)
        error = f"It cannot be written ({type(flaw).__name__})."
    settle(notice, error=error)


def _put_off(waiting: deque[Notice], error: OSError, *, is_reached: bool) -> None:
    name = type(error).__name__
    log.warning("the mail server does not answer: %s", name)
    behind = [waiting.pop() for _ in range(len(waiting) - 1)] if is_reached else []
    for notice in waiting:
        settle(notice, error=f"The mail server does not answer ({name}).")
    put_back(reversed(behind))
