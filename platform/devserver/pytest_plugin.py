"""Pytest plugin that starts the servers before the test database is made; loaded by `-p devserver.pytest_plugin`."""

import os
from collections.abc import Generator

import pytest

from devserver.errors import DevserverError
from devserver.servers import start_servers

WITHOUT_TESTS = {"--help", "-h", "--version", "-V", "--collect-only", "--co", "--fixtures", "--markers"}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, None, None]:
    """Set `DATABASE_URL` (the owner's) and `REDIS_URL` before anything imports the settings.

    A wrapper, because pytest-django reads the settings in its own, first, implementation of this hook. Several pytest
    at once get servers of their own, and so does each of several processes that share the tests out (`-n 3`). Where
    the environment names both, nothing is started.
    """
    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    os.environ.setdefault("EGRESS_LOOPBACK", "0")  # tests open what they need
    if not (WITHOUT_TESTS.intersection(args) or _shares_out(early_config)):
        try:
            servers = start_servers("test", durable=False, side_by_side=True)
        except DevserverError as error:
            raise pytest.UsageError(str(error)) from error
        os.environ.update(servers.owners_environment())
        os.environ.pop("DATABASE_OWNER_URL", None)  # the tests' own database is another
        early_config.add_cleanup(servers.stop)
    return (yield)


def _shares_out(config: pytest.Config) -> bool:
    """Whether this process has others run the tests."""
    return bool(getattr(config.known_args_namespace, "numprocesses", 0)) and "PYTEST_XDIST_WORKER" not in os.environ
