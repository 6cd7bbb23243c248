"""The sign-in of `make run`: it asks for no password, so it must answer nobody but this machine's platform."""

import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from devserver import folders, parts, processes
from tests.support.child_python import SOURCE_ROOTS
from tests.support.development_sign_in import hidden_fields
from tests.support.process_ends import eventually
from tests.support.server import NO_TLS

PEOPLE = """{"people": [{"tenant": "acme", "email": "rita@acme.example", "first_name": "Rita", "last_name": "<b>R</b>",
 "role": "reviewer", "groups": []}]}"""
API_PORT = 4711
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class Provider:
    """A running sign-in, and what its platform knows."""

    issuer: str
    client: tuple[str, str]
    http: httpx.Client

    @property
    def asked(self) -> dict[str, str]:
        """An honest request of the platform."""
        return {
            "response_type": "code",
            "scope": "openid email profile",
            "client_id": self.client[0],
            "redirect_uri": f"http://127.0.0.1:{API_PORT}/oidc/callback/",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }

    def ask(self, **changes: str) -> httpx.Response:
        return self.http.get(f"{self.issuer}/authorize", params={**self.asked, **changes})

    def code(self, email: str = "rita@acme.example") -> str:
        answer = self.http.post(f"{self.issuer}/authorize", data={**hidden_fields(self.ask().text), "email": email})
        assert answer.status_code == 303
        sent = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
        assert (sent["state"], sent["iss"]) == ("s-1", self.issuer)
        return sent["code"]

    def redeem(self, code: str, *, client: tuple[str, str] | None = None, **changes: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.asked["redirect_uri"]}
        return self.http.post(
            f"{self.issuer}/token", data={**form, "code_verifier": VERIFIER, **changes}, auth=client or self.client
        )


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"LLMTEAM_DEVELOPMENT", "DEBUG"}}
    return {**kept, "PYTHONPATH": SOURCE_ROOTS, **more}


def argv(people: Path) -> list[str]:
    return [sys.executable, "-m", "devserver.sign_in", "--api-port", str(API_PORT), "--people", str(people)]


def start(people: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Start it where it ends at once."""
    return subprocess.run(
        argv(people), env=environment(**more), capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    people = tmp_path_factory.mktemp("sign-in") / "demo.json"
    people.write_text(PEOPLE)
    own = parts.sign_in_environment(processes.free_port())
    process = subprocess.Popen(
        argv(people), env=environment(**own, LLMTEAM_DEVELOPMENT="1"), stderr=subprocess.DEVNULL, cwd=folders.CHECKOUT
    )
    try:
        issuer = own["OIDC_ISSUER"]
        assert eventually(lambda: processes.listens(urlsplit(issuer).port or 0), seconds=30)
        with httpx.Client(trust_env=False, verify=NO_TLS) as http:
            yield Provider(issuer, (own["OIDC_CLIENT_ID"], own["OIDC_CLIENT_SECRET"]), http)
    finally:
        process.kill()
        process.wait(10)


def test_whoever_is_chosen_comes_back_with_a_token_of_the_issuer(provider: Provider) -> None:
    page = provider.ask()
    assert page.status_code == 200
    assert "rita@acme.example, reviewer of acme" in page.text
    assert "&lt;b&gt;R&lt;/b&gt;" in page.text
    assert re.findall(r"(?:src|href|url\()=?[\"']?http", page.text) == [], "nothing of others is loaded"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    token = provider.redeem(provider.code()).json()["id_token"]
    metadata = provider.http.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    (key,) = provider.http.get(metadata["jwks_uri"]).json()["keys"]
    claims: dict[str, Any] = jwt.decode(
        token, jwt.PyJWK(key), algorithms=["ES256"], audience=provider.client[0], issuer=provider.issuer
    )
    assert (claims["sub"], claims["email"], claims["email_verified"]) == ("rita@acme.example",) * 2 + (True,)
    assert (claims["nonce"], claims["given_name"]) == ("n-1", "Rita")


def test_somebody_invited_has_nothing_but_an_e_mail(provider: Provider) -> None:
    token = provider.redeem(provider.code("Bob@acme.example ")).json()["id_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["email"], claims.get("given_name")) == ("bob@acme.example", None)
    refused = provider.http.post(f"{provider.issuer}/authorize", data={**provider.asked, "email": "bob"})
    assert (refused.status_code, "That is not an e-mail." in refused.text) == (400, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/oidc/callback/"},
        {"redirect_uri": "http://127.0.0.1:9999/oidc/callback/"},
        {"redirect_uri": f"http://127.0.0.1.evil.example:{API_PORT}/oidc/callback/"},
        {"redirect_uri": f"http://127.0.0.1:{API_PORT}/inbox/"},
        {"client_id": "another"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"scope": "email"},
        {"state": ""},
        {"nonce": ""},
    ],
)
def test_a_request_that_is_not_its_platform_s_is_refused(provider: Provider, changes: dict[str, str]) -> None:
    assert provider.ask().status_code == 200
    assert provider.ask(**changes).status_code == 400
    chosen = provider.http.post(
        f"{provider.issuer}/authorize", data={**provider.asked, **changes, "email": "rita@acme.example"}
    )
    assert (chosen.status_code, chosen.headers.get("Location")) == (400, None)


def test_a_code_is_good_once_for_its_client_and_who_began(provider: Provider) -> None:
    code = provider.code()
    assert provider.redeem(code, client=(provider.client[0], "guessed")).status_code == 401
    assert provider.redeem(code).status_code == 200
    assert provider.redeem(code).json() == {"error": "invalid_grant"}
    assert provider.redeem(provider.code(), code_verifier="w" * 43).status_code == 400
    assert provider.redeem(provider.code(), redirect_uri="http://127.0.0.1:1/").status_code == 400
    assert provider.redeem("made-up").status_code == 400


def test_a_name_of_others_that_leads_here_is_answered_nothing(provider: Provider) -> None:
    port = urlsplit(provider.issuer).port
    for host, status in [(f"localhost:{port}", 200), (f"evil.example:{port}", 404)]:
        answer = provider.http.get(f"{provider.issuer}/authorize", params=provider.asked, headers={"Host": host})
        assert answer.status_code == status


@pytest.mark.parametrize("development", [{}, {"LLMTEAM_DEVELOPMENT": "0"}, {"DEBUG": "1"}])
def test_outside_of_development_it_does_not_start(tmp_path: Path, development: dict[str, str]) -> None:
    own = parts.sign_in_environment(processes.free_port())
    done = start(tmp_path / "none.json", **own, **development)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "This sign-in asks for no password, so it exists only where LLMTEAM_DEVELOPMENT=1.\n"


def test_it_does_not_listen_at_another_address(tmp_path: Path) -> None:
    own = {**parts.sign_in_environment(1), "OIDC_ISSUER": "http://0.0.0.0:8009/development"}
    done = start(tmp_path / "none.json", **own, LLMTEAM_DEVELOPMENT="1")
    assert (done.returncode, "listens at 127.0.0.1 only" in done.stderr) == (1, True)


def test_outside_of_development_no_platform_believes_it() -> None:
    own = parts.sign_in_environment(8009)
    production = {"SECRET_KEY": "x1Y2z3" * 12, "SECRET_KEYS": f"a:{'A' * 43}=", "AUDIT_SIGNING_KEY": f"{'A' * 43}="}
    read = [sys.executable, "-c", "import llmteam.settings"]
    for more, code in [({"LLMTEAM_DEVELOPMENT": "1", **own}, 0), (production, 0), ({**production, **own}, 1)]:
        done = subprocess.run(read, env=environment(**more), capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stderr
    assert "OIDC_ISSUER is 'http://127.0.0.1:8009/development'; write https://host/path" in done.stderr
