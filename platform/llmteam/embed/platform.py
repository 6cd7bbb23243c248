"""One tenant's segments and runs, for a Python program."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from foundation.scope import unscoped
from kernel.types import Json
from runs.engine.host.thread import start_host, stop_host
from runs.models import Run
from runs.selectors import get_run
from runs.services import StartRequest, start_run
from segments.known_names import known_names_of
from segments.pooled_validation import validate_pooled
from segments.services import SavedSegment, save_segment
from segments.validation import Validation
from tenants.models import Tenant
from tenants.walls.selectors import coverage_of_walls

ACTOR: Final = "program"
"""Actor in the audit."""
POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 30.0


class Platform:
    """A tenant's platform; ``llmteam.embed.connect`` makes one.

    Raises:
        ImproperlyConfigured: Something lets the program's login past the wall between tenants.
        LookupError: There is no such tenant.
    """

    def __init__(self, tenant: str) -> None:
        if faults := coverage_of_walls().faults():
            raise ImproperlyConfigured(f"DATABASE_URL cannot be honoured: {'; '.join(faults)}.")
        with unscoped("a program names its tenant"):
            found = Tenant.objects.filter(slug=tenant).first()
        if found is None:
            raise LookupError(f"There is no tenant {tenant!r}.")
        self._tenant = found

    def validate(self, segment: Json) -> Validation:
        """Judge a segment as saving it would: ``valid``, and ``findings`` with their places."""
        return validate_pooled(self._tenant, segment, known_names_of(self._tenant))

    def save(self, segment_id: str, segment: Json) -> SavedSegment:
        """Make a definition the segment's current revision.

        Raises:
            SegmentInvalid: It has errors.
        """
        return save_segment(tenant=self._tenant, actor=ACTOR, segment_id=segment_id, document=segment)

    def start(self, segment_id: str, value: Json = None) -> UUID:
        """Start a run of a saved segment on an input; return its id.

        Raises:
            SegmentNotFound: The tenant has no such segment.
            InputRefused: The input does not fit its ``input_schema``.
        """
        wanted = StartRequest(value, segment_id)
        return start_run(tenant=self._tenant, api_key=None, spec=wanted, actor=ACTOR).run.id

    def wait(self, run_id: UUID, *, seconds: float = 60) -> Run:
        """Return a run once it is over, with its ``status``, ``output`` and ``error``.

        Raises:
            RunNotFound: The tenant has no such run.
            TimeoutError: It is not over by then; it goes on.
        """
        gives_up_at = time.monotonic() + seconds
        while not (run := get_run(tenant=self._tenant, run_id=run_id)).is_over:
            if time.monotonic() >= gives_up_at:
                raise TimeoutError(f"The run {run_id} is {run.status} after {seconds:g} s.")
            time.sleep(POLL_SECONDS)
        return run

    @contextmanager
    def worker(self) -> Iterator[None]:
        """Execute runs, of all tenants, in this process while the block lasts.

        What is under way at its end goes on elsewhere.
        """
        start_host(f"{socket.gethostname()}-{os.getpid()}")
        try:
            yield
        finally:
            stop_host(timeout_seconds=STOP_SECONDS)
