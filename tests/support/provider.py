"""An identity provider that a browser can sign in at: oidc-provider-mock, a process of its own on loopback."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.support.process_ends import eventually
from tests.support.server import NO_TLS

START_SECONDS = 20
CLIENT_ID = "llmteam"
CLIENT_SECRET = "of the tests"


@dataclass(frozen=True)
class IdentityServer:
    """Where people of the tests have their company accounts."""

    url: str

    def settings(self) -> dict[str, str]:
        """What a server needs to send people here."""
        return {"OIDC_ISSUER": self.url, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}

    def add(self, subject: str, **claims: object) -> None:
        """Give somebody an account."""
        answer = httpx.put(f"{self.url}/users/{subject}", json=claims, trust_env=False, verify=NO_TLS)
        assert answer.is_success, answer.text

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return httpx.get(f"{self.url}/.well-known/openid-configuration", trust_env=False, verify=NO_TLS).is_success
        except httpx.TransportError:
            return False


@contextmanager
def running_provider() -> Iterator[IdentityServer]:
    """A provider that answers; ended when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    argv = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(
        argv, env={**os.environ, "PYTHONWARNINGS": "ignore"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        found = IdentityServer(f"http://127.0.0.1:{port}")
        assert eventually(found.answers, seconds=START_SECONDS), "the identity provider did not come up"
        yield found
    finally:
        process.terminate()
        process.wait(10)
