"""Clients of the API that send no key of a customer: another key, a token for a member, a session."""

from rest_framework.test import APIClient

from tenants.members.sessions import TENANT
from tenants.models import Membership


def key_client(text: str) -> APIClient:
    """A client that sends a key or a token."""
    client = APIClient(headers={"Authorization": f"Bearer {text}"})
    client.default_format = "json"
    return client


def token_client(client: APIClient, member: str, scopes: list[str]) -> APIClient:
    answer = client.post("/api/v1/tokens", {"scopes": scopes, "member": member})
    assert answer.status_code == 201, answer.content
    return key_client(answer.json()["token"])


def session_client(member: Membership, *, checks_csrf: bool = False) -> APIClient:
    client = APIClient(enforce_csrf_checks=checks_csrf)
    client.default_format = "json"
    client.force_login(member.user)
    session = client.session
    session[TENANT] = str(member.tenant_id)
    session.save()
    return client
