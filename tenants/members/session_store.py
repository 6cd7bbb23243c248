"""Sessions in the database, as Django keeps them."""

from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session

from foundation.scope import unscoped

REASON = "sessions belong to people, not to tenants"


class SessionStore(db.SessionStore):
    """Looks for no session by a key that is none, such as one with a NUL, which a database refuses to be asked for.

    Reads and writes as the system's role, in whichever scope it is asked.
    """

    def _validate_session_key(self, key: Any) -> bool:
        return isinstance(key, str) and key.isascii() and key.isalnum() and len(key) >= 8

    def _get_session_from_db(self) -> Session | None:
        with unscoped(REASON):
            return super()._get_session_from_db()  # type: ignore[misc, no-any-return]  # not in the stubs

    def exists(self, session_key: str) -> bool:
        """Whether there is a session of this key."""
        with unscoped(REASON):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        """Write the session."""
        with unscoped(REASON):
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        """Drop the session."""
        with unscoped(REASON):
            super().delete(session_key)
