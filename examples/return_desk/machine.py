"""The platform on this machine for the length of a demo: servers, API and workers, all ended with it."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from devserver import folders, parts, processes
from devserver.servers import start_servers
from devserver.supervisor import Supervisor
from examples.return_desk.client import JsonClient

NAME = "demo"
FIRST_WORKER = "worker"
SECOND_WORKER = "worker-2"
LEASE_SECONDS = 3
HEARTBEAT_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Machine:
    """A running platform with one worker, and the power to lose it.

    Attributes:
        client: Calls the API as the demo's tenant.
        reviewer: Calls it as the person at the tenant's return desk.
        supervisor: Owns the processes; `watch` it now and then.
    """

    client: JsonClient
    reviewer: JsonClient
    supervisor: Supervisor

    def start_second_worker(self) -> None:
        """Start another worker beside the first, and return when it takes work."""
        self.supervisor.start(parts.worker(SECOND_WORKER))

    def kill_first_worker(self) -> int:
        """End the first worker as a power cut would; give its process id. The supervisor starts it again."""
        pid = self.supervisor.pid_of(FIRST_WORKER)
        os.kill(pid, signal.SIGKILL)
        return pid


@contextmanager
def running_machine(*, reachable: Sequence[str], say: Callable[[str], None]) -> Iterator[Machine]:
    """Bring the platform up beside whatever else runs here, and end all of it with the block.

    On loopback requests may go to the addresses that are named and nowhere else. Leases are short, so that the work of
    a killed worker is taken over while somebody watches.

    Raises:
        DevserverError: Something did not come up; its text says what, and everything has ended.
    """
    port = processes.free_port()
    with start_servers(NAME, side_by_side=True) as servers:
        folder = folders.CHECKOUT / ".data" / (servers.claim.name if servers.claim else NAME)
        environment = {
            **parts.environment(servers, port),
            "EGRESS_ALLOW_HOSTS": ",".join(urlsplit(address).netloc for address in reachable),
            "EGRESS_ALLOW_CIDRS": f"{processes.LOOPBACK}/32",
            "WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
            "WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        }
        logs = folder / "log"
        supervisor = Supervisor(folder=folders.CHECKOUT, logs=logs, environment=environment, say=say)
        try:
            commands = parts.setup_commands(port, access_file=folder / "demo.json")
            parts.run_commands(commands, environment=environment, logs=logs, say=say)
            supervisor.start(parts.api(port), parts.worker(FIRST_WORKER), parts.beat(folder))
            access = json.loads((folder / "demo.json").read_text())
            key = {"Authorization": f"Bearer {access['api_key']}"}
            client = JsonClient(access["base_url"], headers=key)
            yield Machine(client, _as_member(client, access["base_url"], access["reviewer"]["email"]), supervisor)
        finally:
            supervisor.stop_all()


def _as_member(client: JsonClient, base_url: str, email: str) -> JsonClient:
    """Call the API as one of the tenant's members, with a token that the tenant's key makes for them."""
    wanted = {"member": email, "scopes": ["tasks:read", "tasks:write"]}
    token = client.call("POST", "/api/v1/tokens", content=wanted).content["token"]
    return JsonClient(base_url, headers={"Authorization": f"Bearer {token}"})
