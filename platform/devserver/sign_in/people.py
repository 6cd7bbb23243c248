"""People who may be chosen, as ``manage.py demo_tenants`` writes them into the file of the demo's keys."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DevelopmentAccount:
    """Somebody with an account here.

    Attributes:
        email: What the platform knows them by; the account's subject too.
        first_name: May be empty.
        last_name: May be empty.
        about: Whose member they are and what they may do, for the page.
    """

    email: str
    first_name: str = ""
    last_name: str = ""
    about: str = ""

    @property
    def name(self) -> str:
        """The whole name; the e-mail of somebody without one."""
        return f"{self.first_name} {self.last_name}".strip() or self.email

    def claims(self) -> dict[str, Any]:
        """Return what an ID token tells of them."""
        names = {"given_name": self.first_name, "family_name": self.last_name}
        known = {name: value for name, value in names.items() if value}
        return {"sub": self.email, "email": self.email, "email_verified": True, **known}


def read_people(path: Path) -> list[DevelopmentAccount]:
    """Read the people of the demo, anew each time: the file is written before this process and perhaps again."""
    return [
        DevelopmentAccount(
            email=entry["email"],
            first_name=entry["first_name"],
            last_name=entry["last_name"],
            about=f"{entry['role']} of {entry['tenant']}",
        )
        for entry in json.loads(path.read_text())["people"]
    ]


def find_person(people: list[DevelopmentAccount], email: str) -> DevelopmentAccount | None:
    """Find who is meant by an e-mail; somebody else, who may have been invited, has just that e-mail.

    Returns:
        None where it is not an e-mail.
    """
    wanted = email.strip().lower()
    name, at, host = wanted.partition("@")
    if not (name and at and host and wanted.isascii() and wanted.isprintable()):
        return None
    return next((person for person in people if person.email == wanted), DevelopmentAccount(email=wanted))
