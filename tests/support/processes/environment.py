"""The environment of a program of ours that a test starts: the test's database, and loopback to call."""

import os

from devserver.folders import CHECKOUT
from tests.support.processes.login import address_of_the_database


def environment_of_python(**more: str) -> dict[str, str]:
    """What a program needs to find our source roots; nothing of the tools that run the tests. ``more`` goes before."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTEST_"))}
    roots = [str(CHECKOUT), str(CHECKOUT / "platform"), os.environ.get("PYTHONPATH", "")]
    return {**inherited, "PYTHONPATH": os.pathsep.join(roots), **more}


def program_environment(**more: str) -> dict[str, str]:
    """What the program gets; ``more`` goes before."""
    ours = {
        "DATABASE_URL": address_of_the_database(),
        "LLMTEAM_DEVELOPMENT": "1",
        "EGRESS_ALLOW_HOSTS": "127.0.0.1:*",
        "EGRESS_ALLOW_CIDRS": "127.0.0.1/32",
    }
    return environment_of_python(**(ours | more))
