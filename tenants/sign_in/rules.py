"""Rules of a tenant's identity provider. Pure; names of fields, and the problem with each."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from kernel.egress import EgressBlocked, Policy, check_url
from tenants.members.rules import group_problems
from tenants.sign_in.claims import ROLES_BY_RANK

DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}")


def issuer_problem(issuer: str, *, policy: Policy, plain_allowed: bool) -> str | None:
    """Say why an address cannot be an issuer's."""
    url = urlsplit(issuer)
    if url.scheme not in ({"https", "http"} if plain_allowed else {"https"}) or url.query or url.fragment:
        return "Write it as the provider does in its tokens: https://host/path, without a query."
    try:
        check_url(issuer, policy)
    except EgressBlocked as error:
        return f"It cannot be asked: {error.detail}."
    return None


def map_problem(found: object, *, of_roles: bool) -> str | None:
    """Say why something does not map values of a claim."""
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return 'Write an object of texts: {"value of the claim": "what it means here"}.'
    if of_roles and not set(found.values()) <= set(ROLES_BY_RANK):
        return f"A role is one of {', '.join(ROLES_BY_RANK)}."
    if not of_roles and group_problems(list(found.values())):
        return "A group's name has no comma and no @."
    return None


def domain_problems(domains: list[str]) -> Iterator[str]:
    """Say which texts are no domains."""
    for domain in domains:
        if DOMAIN.fullmatch(domain) is None:
            yield f"{domain!r} is not a domain: write it in lower case, as acme.example, without @."
