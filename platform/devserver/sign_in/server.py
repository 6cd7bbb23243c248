"""HTTP server of the provider, on this machine's loopback only."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from devserver.sign_in.page import refusal_page
from devserver.sign_in.provider import LOOPBACK_NAMES, DevelopmentProvider, ProviderAnswer

MAX_BODY_BYTES = 64 * 1024
SECONDS_FOR_ONE = 10
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class DevelopmentSignInServer(ThreadingHTTPServer):
    """Serves one provider at the port its issuer names."""

    daemon_threads = True

    def __init__(self, provider: DevelopmentProvider) -> None:
        """Bind the port; ``OSError`` where it is taken."""
        self.provider = provider
        address = urlsplit(provider.issuer)
        self.root = address.path
        super().__init__((str(address.hostname), int(address.port or 0)), _Handler)


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS_FOR_ONE

    @property
    def _server(self) -> DevelopmentSignInServer:
        return cast("DevelopmentSignInServer", self.server)

    def do_GET(self) -> None:
        provider, url = self._server.provider, urlsplit(self.path)
        match self._place(url.path):
            case "/.well-known/openid-configuration":
                self._send(ProviderAnswer(200, provider.metadata()))
            case "/keys":
                self._send(ProviderAnswer(200, provider.keys()))
            case "/authorize":
                self._send(provider.ask(dict(parse_qsl(url.query))))
            case _:
                self._send(ProviderAnswer(404, refusal_page("There is no such page.")))

    def do_POST(self) -> None:
        provider, form = self._server.provider, self._form()
        match self._place(urlsplit(self.path).path):
            case "/authorize":
                self._send(provider.choose(form))
            case "/token":
                self._send(provider.redeem(form, self.headers.get("Authorization", "")))
            case _:
                self._send(ProviderAnswer(404, refusal_page("There is no such page.")))

    def _place(self, path: str) -> str:
        """Return the path below the issuer's; empty for another name of this server, as a page of others could use."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        root = self._server.root
        return path.removeprefix(root) if host in LOOPBACK_NAMES and path.startswith(f"{root}/") else ""

    def _form(self) -> dict[str, str]:
        written = self.headers.get("Content-Length", "")
        length = int(written) if written.isdecimal() else 0
        body = self.rfile.read(length) if length <= MAX_BODY_BYTES else b""
        return dict(parse_qsl(body.decode(errors="replace")))

    def _send(self, answer: ProviderAnswer) -> None:
        is_page = isinstance(answer.body, str)
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body or {})
        content = body.encode()
        self.send_response(answer.status)
        headers = {
            "Content-Type": "text/html; charset=utf-8" if is_page else "application/json",
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
            **answer.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
