"""A Valkey of a test's own, to stop and to empty."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devserver import processes
from devserver.valkey import Valkey


@contextmanager
def own_valkey() -> Iterator[Valkey]:
    """Start one; ``stop`` ends it, ``revive`` brings it back at the same address, empty."""
    home = Path(tempfile.mkdtemp(prefix="llmteam-valkey-"))
    server = Valkey(home=home, log=home / "valkey.log", port=processes.free_port())
    assert server.launch()
    try:
        yield server
    finally:
        server.stop()
