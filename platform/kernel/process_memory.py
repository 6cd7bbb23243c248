"""The memory of this process: how much it has, and giving back what it does not use."""

import ctypes
import gc
import resource
from pathlib import Path
from typing import Any, Final

ARENAS: Final = 2
LARGE_BYTES: Final = 128 * 1024
_STATM: Final = Path("/proc/self/statm")
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1


def resident_bytes() -> int:
    """Return how much of the machine's memory this process has; 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def limit_malloc_caching() -> None:
    """Have glibc keep little of what was freed; to be called before there are threads.

    Left to itself it gives each thread an arena of its own, none of which shrinks while anything in it is in use, and
    learns to take large blocks from them too. Does nothing with another C library.
    """
    set_option = _function("mallopt")
    if set_option is not None:
        set_option(_M_ARENA_MAX, ARENAS)
        set_option(_M_MMAP_THRESHOLD, LARGE_BYTES)
        set_option(_M_TRIM_THRESHOLD, LARGE_BYTES)


def release_free_memory() -> None:
    """Return to the system what was freed; takes some milliseconds. Does nothing with another C library."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def freeze_loaded_objects(*thresholds: int) -> None:
    """Have the collector never look again at all that is loaded by now, and come less often.

    Args:
        thresholds: As ``gc.set_threshold`` takes them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds)


def _function(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None)
