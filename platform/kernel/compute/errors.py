"""Errors of the compute pool.

ComputeLimit        COMPUTE_LIMIT    the work takes too much; trying again cannot help
ComputeBusy         COMPUTE_BUSY     the tenant has too much work waiting; later it can help
ComputeUnavailable  COMPUTE_AWAY     no process can be started, or the pool is closed; later it can help
ComputeFailed       COMPUTE_FAILED   the function has a defect
"""

from kernel.errors import Invalid, LimitReached, LlmteamError, Unavailable


class ComputeLimit(Invalid):
    """The work passes a bound on time, memory or size; the detail says which."""

    code = "COMPUTE_LIMIT"
    title = "The work takes too much"


class ComputeBusy(LimitReached):
    """The tenant, or all together, have too much work waiting."""

    code = "COMPUTE_BUSY"
    title = "Too much work is waiting"


class ComputeUnavailable(Unavailable):
    """No process can do the work now."""

    code = "COMPUTE_AWAY"
    title = "The work cannot be done right now"


class ComputeFailed(LlmteamError):
    """A function of the pool raised an error it does not declare."""

    code = "COMPUTE_FAILED"


COMPUTE_REFUSALS = (ComputeLimit, ComputeBusy, ComputeUnavailable)
"""Refusals that a caller of the API may be told."""
