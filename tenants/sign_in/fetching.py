"""Requests to identity providers, through the one door out: small JSON documents, in 5 seconds, no redirects."""

import re
from collections.abc import Mapping
from typing import Final

import httpx

from kernel.compute.bulkhead import Bulkhead
from kernel.compute.errors import ComputeBusy
from kernel.egress import EgressBlocked, open_sync_client
from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import parse_json
from tenants.sign_in.errors import ProviderBusy, ProviderFailed
from tenants.sign_in.providers import SignInProvider

TIMEOUT_SECONDS: Final = 5.0
MAX_BYTES: Final = 256 * 1024
MAX_TOLD: Final = 300
OK: Final = 200
MAX_AT_ONE: Final = 3
MAX_AT_ALL: Final = 5
"""Each call holds one of the eight request threads for as long as the provider takes: so many, at one and in all."""
_bulkhead: Final = Bulkhead(most_of_one=MAX_AT_ONE, most_of_all=MAX_AT_ALL)
_ERROR_NAME: Final = re.compile(r"[a-z_]{1,40}")


def fetch_object(
    provider: SignInProvider,
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
        ProviderBusy: As many calls as may be are under way.
        ProviderFailed: It may not be called, does not answer in time or with 200, or answers no JSON object.
    """
    return _read_object(url, _answered(provider, url, form=form, headers=headers, basic=basic))


def fetch_userinfo(provider: SignInProvider, url: str, *, access_token: str) -> dict[str, Json] | str:
    """Read what is known of a person: an object, or the text of a signed answer (``application/jwt``), not judged yet.

    Raises:
        ProviderFailed: As ``fetch_object``.
    """
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json, application/jwt"}
    response = _answered(provider, url, headers=headers)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return response.text.strip() if kind == "application/jwt" else _read_object(url, response)


def _answered(
    provider: SignInProvider,
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> httpx.Response:
    try:
        with (
            _bulkhead.hold(provider.key),
            open_sync_client(
                provider.policy, timeout_seconds=TIMEOUT_SECONDS, max_body_bytes=MAX_BYTES, owner=provider.key
            ) as client,
        ):
            request = client.build_request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers={"Accept": "application/json", **(headers or {})},
            )
            auth = None if basic is None else httpx.BasicAuth(*basic)
            response = client.send(request, auth=auth, follow_redirects=False)
    except ComputeBusy as error:
        raise ProviderBusy(f"{_place(url)} is not called: too many calls are under way.", extra=error.extra) from error
    except EgressBlocked as error:
        raise ProviderFailed(f"{_place(url)} may not be called: {error.explanation}") from error
    except LlmteamError as error:
        raise ProviderFailed(f"{_place(url)}: {error.detail}") from error
    if response.status_code != OK:
        raise ProviderFailed(f"{_place(url)} answered {response.status_code}{_oauth_error(response.content)}.")
    return response


def _read_object(url: str, response: httpx.Response) -> dict[str, Json]:
    try:
        found = parse_json(response.content, big_integers="text")
    except LlmteamError as error:
        raise ProviderFailed(f"{_place(url)}: {error.detail}") from error
    if not isinstance(found, dict):
        raise ProviderFailed(f"{_place(url)} answered no JSON object.")
    return found


def _place(url: str) -> str:
    """Write an address without its query."""
    return url.partition("?")[0][:MAX_TOLD]


def _oauth_error(body: bytes) -> str:
    """Read the error's name from an answer, as ``invalid_client``: names are safe to tell, other words are not."""
    try:
        found = parse_json(body, big_integers="text")
    except LlmteamError:
        return ""
    name = found.get("error") if isinstance(found, dict) else None
    return f" with {name}" if isinstance(name, str) and _ERROR_NAME.fullmatch(name) else ""
