"""What is asked of providers, through the one door out: small JSON documents, in 5 seconds, no redirects."""

from collections.abc import Mapping
from typing import Final

import httpx

from kernel.egress import open_sync_client
from kernel.errors import LlmteamError
from kernel.values import Json, parse_json
from tenants.sign_in.errors import ProviderFailed
from tenants.sign_in.providers import Provider

TIMEOUT_SECONDS: Final = 5.0
MOST_BYTES: Final = 256 * 1024


def fetch_object(
    provider: Provider,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> dict[str, Json]:
    """Read a JSON object: GET, or POST with a form.

    Args:
        provider: On whose behalf.
        url: Where.
        form: What is posted.
        headers: Further headers.
        basic: Name and password for Basic.

    Raises:
        ProviderFailed: It may not be called, does not answer in time or with 200, or answers no JSON object.
    """
    try:
        with open_sync_client(
            provider.policy, timeout_seconds=TIMEOUT_SECONDS, max_body_bytes=MOST_BYTES, owner=provider.key
        ) as client:
            request = client.build_request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers={"Accept": "application/json", **(headers or {})},
            )
            auth = None if basic is None else httpx.BasicAuth(*basic)
            response = client.send(request, auth=auth, follow_redirects=False)
            found = parse_json(response.content, big_integers="text") if response.status_code == 200 else None
    except LlmteamError as error:
        raise ProviderFailed from error
    if not isinstance(found, dict):
        raise ProviderFailed
    return found
