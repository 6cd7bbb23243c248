"""A real API server process on the test's database, and a caller for it."""

import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from devserver.processes import free_port
from tests.support.process_ends import eventually
from tests.support.processes.environment import program_environment
from tests.support.processes.forked import Process, start_program

START_SECONDS = 90.0
"""On a machine that does much else; alone it takes two."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients on the loopback: each would read all authorities' certificates, which takes longer than ten requests."""
SETTINGS = {
    "REQUESTS_PER_MINUTE_PER_TENANT": "1000000",
    "REQUESTS_PER_MINUTE_PER_ADDRESS": "1000000",
    "WRONG_CREDENTIALS_PER_MINUTE": "1000000",
}


class ServerProcess:
    """One web process on a free port of the loopback."""

    def __init__(self, *, program: str = "llmteam.web", **environment: str) -> None:
        self._program = program
        self.port = free_port()
        self._environment = environment
        self._log = Path(tempfile.mkdtemp(prefix="llmteam-server-")) / "server.log"
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait for it; on another port where somebody else was quicker to take its own."""
        while not self._starts():
            assert "Address already in use" in self.log, f"the server ended:\n{self.log}"
            self._log.unlink()
            self.port = free_port()

    def _starts(self) -> bool:
        environment = program_environment(**(SETTINGS | self._environment))
        where = ("--bind", "127.0.0.1", "--port", str(self.port))
        process = self._process = start_program(self._program, *where, environment=environment, log=self._log)
        ready = eventually(lambda: self._answers() or process.poll() is not None, seconds=START_SECONDS)
        assert ready, f"the server did not come up:\n{self.log}"
        return process.poll() is None

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def caller(self, key: str = "", **headers: str) -> httpx.Client:
        """A caller with a key. Its address is the loopback's, its errors are answers."""
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=NO_TLS)

    def _answers(self) -> bool:
        try:
            with self.caller() as caller:
                return caller.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running_server(*, program: str = "llmteam.web", **environment: str) -> Iterator[ServerProcess]:
    """A server that answers; ended when the block ends, its log printed when the test fails."""
    server = ServerProcess(program=program, **environment)
    try:
        server.start()
        yield server
    except BaseException:
        print(f"log of the server:\n{server.log}")
        raise
    finally:
        server.stop()
