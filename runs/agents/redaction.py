"""Redaction of a connection's secrets in its model's answers, before they are stored, shown or given to a tool."""

from collections.abc import Callable, Collection
from dataclasses import replace

from kernel.redaction import begun_at, redact
from runs.step_api.language_models import CompletionReply


def without_secrets(reply: CompletionReply, secrets: Collection[str]) -> CompletionReply:
    """Cut secrets out of all of an answer, save what only goes back to the service that gave it (``kept``)."""
    if not secrets:
        return reply

    def hidden(text: str) -> str:
        return str(redact(text, secrets))

    return replace(
        reply,
        text=hidden(reply.text),
        model=hidden(reply.model),
        reasoning=hidden(reply.reasoning),
        finish_word=hidden(reply.finish_word),
        request_id=None if reply.request_id is None else hidden(reply.request_id),
        tool_calls=tuple(
            replace(
                call,
                call_id=hidden(call.call_id),
                name=hidden(call.name),
                arguments=redact(call.arguments, secrets),
            )
            for call in reply.tool_calls
        ),
    )


class RedactedPieces:
    """Passes on what is heard of an answer while it comes; what may become a secret is held back until it is none."""

    def __init__(self, publish: Callable[[str], None], secrets: Callable[[], Collection[str]]) -> None:
        """Begin.

        Args:
            publish: Takes what may be heard.
            secrets: Gives the secrets; asked for with the first piece, as tokens are fetched in the call.
        """
        self._publish = publish
        self._secrets = secrets
        self._known: Collection[str] | None = None
        self._held = ""

    def add(self, piece: str) -> None:
        """Take the next piece."""
        if self._known is None:
            self._known = self._secrets()
        text = str(redact(self._held + piece, self._known))
        end = begun_at(text, self._known)
        self._held = text[end:]
        if text[:end]:
            self._publish(text[:end])

    def end(self) -> None:
        """Pass on what was held back and is none."""
        if self._held:
            self._publish(self._held)
            self._held = ""
