"""Settings for hosts in a test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import override_settings

from runs.steps.registry import registry
from tests.support import step_types

OF_HOSTS = {
    "WORKER_LEASE_SECONDS": 30,
    "WORKER_HEARTBEAT_SECONDS": 0.5,
    "SWEEP_SECONDS": 0.3,
    "WORKER_GRACE_SECONDS": 3,
    "EGRESS_ALLOW_HOSTS": ["127.0.0.1:*"],
    "EGRESS_ALLOW_CIDRS": ["127.0.0.1/32"],
}
"""Short times, but not the lease, which outlasts a wait for a processor; loopback open to steps."""


@contextmanager
def with_step_types(**more: object) -> Iterator[None]:
    """Have the tests' step types beside ours, and other settings.

    For a whole module: Django sets all apps up anew, which takes longer than many a test.
    """
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, step_types.APP], **more):
        registry.cache_clear()
        yield
    registry.cache_clear()
