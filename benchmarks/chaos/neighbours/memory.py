"""Resident memory of processes and of their compute children."""

from collections.abc import Mapping
from contextlib import suppress

import psutil

MIB = 2**20
CHILDREN = "compute"


class Residents:
    """Looks at the memory of some processes, and remembers the most each had. In MiB."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self.most: dict[str, int] = {}

    def look(self) -> dict[str, int]:
        """Return what each has now; of the children, the largest."""
        found: dict[str, int] = {}
        for name, process in self._processes.items():
            with suppress(psutil.NoSuchProcess):
                found[name] = _mib(process)
                children = [_mib(child) for child in process.children(recursive=True)]
                found[f"{name} {CHILDREN}"] = max(children, default=0)
        for name, mib in found.items():
            self.most[name] = max(mib, self.most.get(name, 0))
        return found


def _mib(process: psutil.Process) -> int:
    try:
        return round(process.memory_info().rss / MIB)
    except psutil.NoSuchProcess:
        return 0
