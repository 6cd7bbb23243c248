"""Sends what is due, in a thread of each worker: with nothing but Postgres, so that no lost message loses a mail."""

import logging
import smtplib
import threading

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, InterfaceError, connection

from humantasks.mail.outbox import settle, take_due
from humantasks.mail.writing import write_mail
from humantasks.models import Notice

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
STOP_SECONDS = 15.0


class Sender:
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
                pause = 0.0 if send_due() else LOOK_SECONDS
            except (DatabaseError, InterfaceError) as error:
                log.warning("mails cannot be sent now: %s", error)
                pause = AWAY_SECONDS
            except Exception:  # the thread's outermost: nobody else would tell
                log.exception("sending mails failed in a way nobody foresaw")
                pause = AWAY_SECONDS
            if pause == AWAY_SECONDS:
                connection.close()


def send_due() -> int:
    """Send what is due; return how many mails were tried."""
    taken = take_due()
    if taken:
        try:
            with get_connection() as mail:
                for notice in taken:
                    _send(notice, mail)
        except (smtplib.SMTPException, OSError) as error:
            log.warning("the mail server does not answer: %s", type(error).__name__)
            for notice in taken:
                settle(notice.id, error=f"The mail server does not answer ({type(error).__name__}).")
    return len(taken)


def _send(notice: Notice, mail: BaseEmailBackend) -> None:
    message = write_mail(notice)
    message.connection = mail
    error = ""
    try:
        message.send()
    except smtplib.SMTPException as refused:
        log.warning("a mail was refused: %s", type(refused).__name__)
        error = f"The mail server refused it ({type(refused).__name__})."
    settle(notice.id, error=error)
