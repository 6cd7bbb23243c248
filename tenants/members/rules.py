"""Rules of members' fields. Pure; the scopes of a role stand in ``tenants.types``."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from kernel.errors import ErrorItem

ADMIN: Final = "admin"
REVIEWER: Final = "reviewer"
AUDITOR: Final = "auditor"
GROUP: Final = re.compile(r"[^\s,@][^,@\n]{0,98}[^\s,@]|[^\s,@]")
MAX_GROUPS: Final = 50


def group_problems(groups: Sequence[str]) -> list[ErrorItem]:
    """Tell what is wrong with names of groups: an e-mail's @ and a list's comma cannot be in one."""
    found = [
        ErrorItem(code="GROUP_NAME", detail="A group's name has no comma and no @.", pointer=f"/groups/{index}")
        for index, group in enumerate(groups)
        if GROUP.fullmatch(group) is None
    ]
    if len(groups) > MAX_GROUPS:
        found.append(ErrorItem(code="TOO_MANY", detail=f"At most {MAX_GROUPS} groups.", pointer="/groups"))
    return found


def email_problems(email: str) -> list[ErrorItem]:
    """Tell what is wrong with an e-mail to invite: an address of other letters is never believed at a sign-in."""
    if email.isascii():
        return []
    detail = "Write the address in ASCII, its domain as providers write it (xn--...)."
    return [ErrorItem(code="EMAIL_NOT_ASCII", detail=detail, pointer="/email")]


def absence_problems(away_from: datetime, away_until: datetime | None, now: datetime) -> list[ErrorItem]:
    """Tell what is wrong with an absence: it ends behind its beginning, and not in the past."""
    if away_until is None:
        return []
    if away_until <= away_from:
        return [ErrorItem(code="ENDS_TOO_EARLY", detail="It ends before it begins.", pointer="/away_until")]
    if away_until <= now:
        return [ErrorItem(code="IN_THE_PAST", detail="It is over already.", pointer="/away_until")]
    return []
