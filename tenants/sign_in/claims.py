"""Claims of identity providers: e-mail, groups, roles. Pure."""

import re
from collections.abc import Container, Mapping
from enum import StrEnum
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from kernel.types import Json

ROLES_BY_RANK: Final = ("admin", "reviewer", "auditor")
MAX_EMAIL_LENGTH: Final = 254
_MAY_BE_SEVERAL: Final = re.compile(r"[\s,;|\[\]{}\"]")
_SAYS_NO: Final = frozenset(("false", "0", "no"))

Claims = Mapping[str, Json]


class EmailFault(StrEnum):
    """Faults of an account's e-mail, for which it identifies nobody."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNVERIFIED = "unverified"


def verified_email(claims: Claims, *, trusted: bool = False) -> str | None:
    """Read the e-mail, in lower case; None unless the provider says, as a boolean, that it has verified it.

    Args:
        claims: What the provider says.
        trusted: Whether its e-mails count as verified where it says nothing of it, or says so as a text. One that it
            calls unverified never does.
    """
    claim = claims.get("email_verified")
    is_verified = claim is True or (trusted and (claim is None or (isinstance(claim, str) and claim.lower() == "true")))
    return readable_email(claims) if is_verified else None


def readable_email(claims: Claims) -> str | None:
    """Read the e-mail, in lower case, verified or not.

    None if it is not ASCII: lower case makes letters of other alphabets into ASCII ones, and so one address into
    another's.
    """
    email = claims.get("email")
    if not isinstance(email, str) or len(email) > MAX_EMAIL_LENGTH or not email.isascii():
        return None
    try:
        validate_email(email)
    except ValidationError:
        return None
    return email.lower()


def email_fault(claims: Claims) -> EmailFault:
    """Say why claims have no verified e-mail."""
    if claims.get("email") in (None, ""):
        return EmailFault.MISSING
    return EmailFault.MALFORMED if readable_email(claims) is None else EmailFault.UNVERIFIED


def claimed_email(claims: Claims) -> str | None:
    """Read what is said as the e-mail, be it one or not, fit to be shown."""
    email = readable_email(claims) or claims.get("email")
    if not isinstance(email, str):
        return None
    return "".join(letter if letter.isprintable() else "?" for letter in email[:MAX_EMAIL_LENGTH])


def merge_claims(signed: Claims, userinfo: Claims) -> Claims:
    """Put what the ID token says before what userinfo says; e-mail and verification are taken from one of them.

    Where the other calls the same e-mail unverified it is unverified.

    How the person was recognised (``acr``, ``amr``) is believed of the ID token only.
    """
    is_whole = "email" in signed and ("email_verified" in signed or signed["email"] != userinfo.get("email"))
    source, other = (signed, userinfo) if is_whole else (userinfo, signed)
    of_one = {name: source.get(name) for name in ("email", "email_verified")}
    is_same = other.get("email") is None or _folded(other["email"]) == _folded(source.get("email"))
    if is_same and _folded(other.get("email_verified")) in _SAYS_NO:
        of_one["email_verified"] = False
    return {**userinfo, **signed, **of_one, **{name: signed.get(name) for name in ("acr", "amr")}}


def _folded(value: Json) -> str:
    return str(value).strip().lower()


def claim_at(claims: object, name: str) -> Json:
    """Read a claim by its name, or by a path of names with dots between them; None where there is none.

    A name may have dots itself: ``https://acme.example/groups``, or a client in ``resource_access.my.client.roles``.
    """
    if not isinstance(claims, Mapping):
        return None
    if name in claims:
        value: Json = claims[name]
        return value
    dots = (place for place, letter in enumerate(name) if letter == "." and name[:place] in claims)
    found = (claim_at(claims[name[:place]], name[place + 1 :]) for place in dots)
    return next((value for value in found if value is not None), None)


def listed_groups(claims: Claims, name: str, *, known: Container[str] = ()) -> list[str] | None:
    """Read a claim that lists groups, or names one; None where the provider does not tell them.

    A text with blanks, commas or brackets may be one name, several, or JSON: it is one where it is known as a whole,
    else nobody can tell. Nor does a list tell any of whose members none is a name.

    Args:
        claims: What the provider says.
        name: The claim's name, or its path.
        known: Names that mean something here.
    """
    found = claim_at(claims, name) if name else None
    if isinstance(found, str):
        is_one = found in known or (found and _MAY_BE_SEVERAL.search(found) is None)
        return [found] if is_one else None
    if not isinstance(found, list):
        return None
    names = [group for group in found if isinstance(group, str) and group.strip()]
    return names if names or not found else None


def why_no_groups(claims: Claims, name: str) -> str:
    """Say why a claim lists no groups: ``absent``, ``unreadable``, or ``overage``, too many for the token."""
    if claim_at(claims, name) is not None:
        return "unreadable"
    elsewhere = claims.get("_claim_names")
    is_elsewhere = isinstance(elsewhere, Mapping) and name in elsewhere
    return "overage" if is_elsewhere or claims.get("hasgroups") in (True, "true") else "absent"


def mapped_groups(listed: list[str], group_map: Mapping[str, str]) -> list[str]:
    """Tell which reviewer groups somebody is in."""
    return list(dict.fromkeys(group_map[name] for name in listed if name in group_map))


def mapped_role(listed: list[str], role_map: Mapping[str, str]) -> str:
    """Tell somebody's role: of several the one with most rights, of none reviewer."""
    found = {role_map[name] for name in listed if name in role_map}
    return next((role for role in ROLES_BY_RANK if role in found), "reviewer")


def name_of(claims: Claims) -> tuple[str, str]:
    """Read first and last name, as far as they are told."""
    first, last, whole = (claims.get(name) for name in ("given_name", "family_name", "name"))
    if isinstance(first, str) or isinstance(last, str):
        return _short(first), _short(last)
    return _short(whole), ""


def _short(text: Json) -> str:
    return text.strip()[:150] if isinstance(text, str) else ""
