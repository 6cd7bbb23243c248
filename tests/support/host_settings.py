"""Settings for hosts in a test's own process."""

from typing import Any


def set_up_hosts(settings: Any) -> None:
    """Shorten the times of hosts, but not the lease, which outlasts a wait for a processor; open loopback to steps."""
    settings.WORKER_LEASE_SECONDS = 30
    settings.WORKER_HEARTBEAT_SECONDS = 0.5
    settings.SWEEP_SECONDS = 0.3
    settings.WORKER_GRACE_SECONDS = 3
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]
