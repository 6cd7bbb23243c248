"""What a provider's claims mean here. Pure."""

from collections.abc import Mapping
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from kernel.values import Json

ROLES_BY_RANK: Final = ("admin", "reviewer", "auditor")
LONGEST_EMAIL: Final = 254

Claims = Mapping[str, Json]


def verified_email(claims: Claims) -> str | None:
    """Read the e-mail, in lower case; None unless the provider says, as a boolean, that it has verified it.

    None, too, if it is not ASCII: lower case makes letters of other alphabets into ASCII ones, and so one address
    into another's.
    """
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    if len(email) > LONGEST_EMAIL or not email.isascii():
        return None
    try:
        validate_email(email)
    except ValidationError:
        return None
    return email.lower()


def merged(signed: Claims, told: Claims) -> Claims:
    """Put what the ID token says before what userinfo says; e-mail and verification are taken from one of them."""
    is_whole = "email" in signed and ("email_verified" in signed or signed["email"] != told.get("email"))
    source = signed if is_whole else told
    return {**told, **signed, **{name: source.get(name) for name in ("email", "email_verified")}}


def listed_groups(claims: Claims, name: str) -> list[str]:
    """Read a claim that lists groups, or names one."""
    found = claims.get(name) if name else None
    listed = found if isinstance(found, list) else [found]
    return [group for group in listed if isinstance(group, str)]


def mapped_groups(listed: list[str], group_map: Mapping[str, str]) -> list[str] | None:
    """Tell which reviewer groups somebody is in; None where the provider has no say."""
    if not group_map:
        return None
    return list(dict.fromkeys(group_map[name] for name in listed if name in group_map))


def mapped_role(listed: list[str], role_map: Mapping[str, str]) -> str | None:
    """Tell somebody's role: of several the one with most rights, of none reviewer; None where it has no say."""
    if not role_map:
        return None
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
