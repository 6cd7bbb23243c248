"""TLS: the certificate is checked against the name, though the socket goes to the judged address."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from kernel.egress import ConnectionFailed, EgressClient, build_policy, open_client, open_sync_client
from kernel.egress.errors import OF_TRUST, Reason
from tests.support.certificates import write_certificate
from tests.support.http_server import Answer, CountingServer

NAME = "shop.example.com"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for the name, with its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    write_certificate(path, NAME)
    return path


@asynccontextmanager
async def tls_server(certificate: Path, seen: list[str]) -> AsyncIterator[int]:
    """Answer "ok" over TLS on loopback and note the server names asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_certificate_is_checked_against_the_name(certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    policy = build_policy(allow_hosts=[f"{NAME}:*", "other.example.com:*"], allow_cidrs=["127.0.0.1/32"])
    seen: list[str] = []
    async with tls_server(certificate, seen) as port:
        async with open_client(policy, resolver=lambda *_: ["127.0.0.1"], ssl_context=trust) as client:
            assert (await client.get(f"https://{NAME}:{port}/")).text == "ok"
            with pytest.raises(ConnectionFailed):
                await client.get(f"https://other.example.com:{port}/")
        with open_sync_client(policy, resolver=lambda *_: ["127.0.0.1"], ssl_context=trust) as blocking:
            response = await asyncio.to_thread(blocking.get, f"https://{NAME}:{port}/")
            assert response.text == "ok"
    assert seen == [NAME, "other.example.com", NAME]


async def test_an_unknown_authority_is_not_trusted(certificate: Path) -> None:
    policy = build_policy(allow_hosts=[f"{NAME}:*"], allow_cidrs=["127.0.0.1/32"])
    async with (
        tls_server(certificate, []) as port,
        open_client(policy, resolver=lambda *_: ["127.0.0.1"]) as client,
    ):
        with pytest.raises(ConnectionFailed):
            await client.get(f"https://{NAME}:{port}/")


@contextmanager
def server_that_wants_certificates(certificate: Path) -> Iterator[int]:
    """Shake hands once with a client that shows no certificate, and refuse it with an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # with 1.3 the client has sent its request before it is refused
    context.load_verify_locations(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection, suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=refuse)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


async def reason_of(client: EgressClient, url: str) -> tuple[Reason, str]:
    with pytest.raises(ConnectionFailed) as error:
        await client.get(url, timeout=5)
    assert "127.0.0.1" not in error.value.detail
    assert error.value.extra == {"reason": error.value.reason.value}
    return error.value.reason, error.value.detail


async def test_a_failure_says_whose_it_is(certificate: Path) -> None:
    policy = build_policy(allow_hosts=[f"{NAME}:*", "other.example.com:*"], allow_cidrs=["127.0.0.1/32"])
    trust = ssl.create_default_context(cafile=str(certificate))
    with CountingServer() as plain:
        plain.route("GET", "/", Answer(body="ok"))
        async with tls_server(certificate, []) as port:
            async with open_client(policy, resolver=lambda *_: ["127.0.0.1"], ssl_context=trust) as client:
                assert (await client.get(f"https://{NAME}:{port}/")).text == "ok"
                found = {
                    "other host": await reason_of(client, f"https://other.example.com:{port}/"),
                    "plain": await reason_of(client, f"https://{NAME}:{plain.port}/"),
                    "nobody": await reason_of(client, f"https://{NAME}:9/"),
                }
                with server_that_wants_certificates(certificate) as strict:
                    found["wants ours"] = await reason_of(client, f"https://{NAME}:{strict}/")
            async with open_client(policy, resolver=lambda *_: ["127.0.0.1"]) as stranger:
                found["own authority"] = await reason_of(stranger, f"https://{NAME}:{port}/")
    assert {case: reason for case, (reason, _) in found.items()} == {
        "other host": Reason.CERTIFICATE,
        "wants ours": Reason.CLIENT_CERTIFICATE,
        "plain": Reason.NOT_TLS,
        "nobody": Reason.REFUSED,
        "own authority": Reason.CERTIFICATE,
    }
    assert "another host" in found["other host"][1]
    assert "authority" in found["own authority"][1]
    assert {found[case][0] for case in found} - OF_TRUST == {Reason.REFUSED}


async def test_a_name_nobody_knows_says_so() -> None:
    def unknown(*_: object) -> list[str]:
        raise socket.gaierror

    async with open_client(build_policy(), resolver=unknown) as client:
        assert (await reason_of(client, "https://shop.example.com/"))[0] is Reason.UNKNOWN_NAME
