"""A browser without JavaScript that signs in as `make run` lets people sign in."""

import re
from collections.abc import Mapping
from html import unescape

import httpx

from tests.support.server import NO_TLS


def browser(url: str) -> httpx.Client:
    """A browser that keeps cookies and goes where it is sent."""
    return httpx.Client(base_url=url, follow_redirects=True, trust_env=False, verify=NO_TLS, timeout=20)


def hidden_fields(page: str) -> dict[str, str]:
    """What a form sends besides what is typed; of several forms the last counts."""
    tags = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page)
    found = {name: re.search(r'value="([^"]*)"', tag) for tag in tags for name in re.findall(r'name="([^"]+)"', tag)}
    return {name: unescape(value[1]) for name, value in found.items() if value}


def ask_to_sign_in(visitor: httpx.Client, path: str = "/inbox/") -> httpx.Response:
    """Open a page that needs a sign-in, and follow its link to the page of the provider."""
    page = visitor.get(path)
    (link,) = re.findall(r'href="(/oidc/login/[^"]*)"', page.text)
    return visitor.get(unescape(link))


def choose(visitor: httpx.Client, asked: httpx.Response, email: str) -> httpx.Response:
    """Say who one is, and go where that leads."""
    return visitor.post(asked.url.copy_with(query=None), data={**hidden_fields(asked.text), "email": email})


def post_form(visitor: httpx.Client, page: httpx.Response, action: str, typed: Mapping[str, str]) -> httpx.Response:
    """Send a page's form, with the address it came from, as browsers do."""
    return visitor.post(
        action, data={**hidden_fields(page.text), **typed}, headers={"Referer": str(page.url), "Origin": _origin(page)}
    )


def _origin(page: httpx.Response) -> str:
    return f"{page.url.scheme}://{page.url.netloc.decode()}"
