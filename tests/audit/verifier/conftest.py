"""A log that verifies, and a copy of it for each test."""

import copy

import pytest

from tests.support.audit_logs import MadeLog, entries, verdict
from tests.support.audit_tampering import BAD, SIZE


@pytest.fixture(scope="session")
def untouched() -> MadeLog:
    return MadeLog(entries(SIZE)).write()


@pytest.fixture
def log(untouched: MadeLog) -> MadeLog:
    twin = copy.copy(untouched)
    twin.leaves, twin.files = list(untouched.leaves), dict(untouched.files)
    assert verdict(twin, since=[twin.checkpoint(BAD)])["ok"]
    return twin
