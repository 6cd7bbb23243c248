"""The compute pool of this process, set up once at its start."""

import atexit

from kernel.compute.pool import ComputePool

_pool: ComputePool | None = None


def set_compute_pool(pool: ComputePool) -> None:
    """Make a pool this process's; it is closed when the process ends, and the one before it at once."""
    global _pool  # noqa: PLW0603 - one a process
    if _pool is None:
        atexit.register(_close)
    else:
        _pool.close()
    _pool = pool


def compute_pool() -> ComputePool:
    """Return this process's pool.

    Raises:
        RuntimeError: The process has not set one up.
    """
    if _pool is None:
        raise RuntimeError("set_compute_pool() has not been called.")
    return _pool


def _close() -> None:
    if _pool is not None:
        _pool.close()
