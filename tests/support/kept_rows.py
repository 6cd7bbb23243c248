"""Rows that many tests look at, written once for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker


@contextmanager
def kept_rows(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep what is written at the beginning of the block for tests within it, and take it back at the end.

    For fixtures of a module whose tests commit nothing: what a test changes is taken back when that test ends.
    """
    with blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)
