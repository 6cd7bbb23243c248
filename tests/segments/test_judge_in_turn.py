"""Large definitions are judged one at a time, tenants in turn: many of one tenant keep no other waiting."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from segments.pooled_validation import LARGE, MAX_AT_ONCE, validate_pooled
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.process_ends import eventually

pytestmark = pytest.mark.django_db

MANY = 6
LARGE_DEFINITION = steps_in_a_row(*(f"input + {number}" for number in range(500)))
SMALL_DEFINITION = steps_in_a_row("input")


def in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def occupied() -> Any:
    """The one thread for large definitions is busy with something else until it is let go."""
    let_go = threading.Event()
    LARGE.submit_for("somebody", lambda: let_go.wait(30))
    yield let_go
    let_go.set()


def test_another_s_large_definition_is_judged_after_one_of_many(
    acme: Customer, globex: Customer, occupied: threading.Event
) -> None:
    ended: list[str] = []

    def judged(tenant: Tenant) -> None:
        assert validate_pooled(tenant, LARGE_DEFINITION).valid
        ended.append(tenant.slug)

    threads = [in_a_thread(lambda: judged(acme.tenant)) for _ in range(MANY)]
    assert eventually(lambda: LARGE.waiting == MANY, seconds=10)
    threads.append(in_a_thread(lambda: judged(globex.tenant)))
    assert eventually(lambda: LARGE.waiting == MANY + 1, seconds=10)
    occupied.set()
    for thread in threads:
        thread.join(60)
    assert sorted(ended) == [acme.tenant.slug] * MANY + [globex.tenant.slug]
    assert ended.index(globex.tenant.slug) <= 1


def test_a_small_definition_waits_for_nobody(acme: Customer, occupied: threading.Event) -> None:
    waiting = in_a_thread(lambda: validate_pooled(acme.tenant, LARGE_DEFINITION))
    assert eventually(lambda: LARGE.waiting == 1, seconds=10)
    assert validate_pooled(acme.tenant, SMALL_DEFINITION).valid
    assert waiting.is_alive()
    occupied.set()
    waiting.join(60)


def test_what_is_large_is_told_by_its_bytes() -> None:
    assert len(str(SMALL_DEFINITION)) < MAX_AT_ONCE < len(str(LARGE_DEFINITION))
