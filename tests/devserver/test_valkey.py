import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from devserver import folders, valkey
from tests.support.process_ends import eventually, is_gone


@pytest.fixture
def claim(tmp_path: Path) -> Iterator[folders.FolderClaim]:
    with folders.FolderClaim(checkout=tmp_path, name="with space") as taken:
        yield taken


@pytest.fixture
def server(claim: folders.FolderClaim) -> Iterator[valkey.Valkey]:
    running = valkey.start(claim)
    yield running
    running.stop()


def ping(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def test_answers(server: valkey.Valkey) -> None:
    assert ping(server.url)


def test_lets_nobody_in_without_the_password(server: valkey.Valkey) -> None:
    assert ping(server.url)
    with pytest.raises(redis.AuthenticationError):
        ping(f"redis://127.0.0.1:{server.port}/0")


def test_listens_on_loopback_and_keeps_nothing(server: valkey.Valkey) -> None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = {name: client.config_get(name)[name] for name in ("bind", "save", "appendonly")}
    assert settings == {"bind": "127.0.0.1", "save": "", "appendonly": "no"}


def test_comes_back_at_the_same_address_after_sigkill(server: valkey.Valkey) -> None:
    assert server.child
    os.kill(server.child.pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive(), seconds=5)
    url = server.url
    server.revive()
    assert server.url == url
    assert ping(url)


def test_ends_a_server_left_behind(server: valkey.Valkey, claim: folders.FolderClaim) -> None:
    assert server.child
    again = valkey.start(claim)
    try:
        assert is_gone(server.child.pid)
        assert ping(again.url)
    finally:
        again.stop()
