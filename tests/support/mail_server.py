"""A real mail server on loopback that keeps what it is given."""

import asyncio
import email
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller

from devserver.processes import free_port


class MailServer:
    """Takes every mail; refuses every recipient while ``refuses`` is set, and goes on the recipient ``leaves_at``."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuses = False
        self.leaves_at = ""
        self.before_a_mail: Callable[[], object] = lambda: None
        self.port = free_port()
        self._controller: Controller | None = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - the library's hook
        """Take a recipient in."""
        if address == self.leaves_at:
            server.transport.abort()
        if self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's hook
        """Keep a mail."""
        await asyncio.get_running_loop().run_in_executor(None, self.before_a_mail)
        message: Message = email.message_from_bytes(envelope.content, policy=default)
        self.mails.append(cast("EmailMessage", message))
        return "250 OK"

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Be away."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Run one for a test."""
    server = MailServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
