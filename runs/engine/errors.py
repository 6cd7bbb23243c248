"""Errors inside the engine: a lost lease, a lost host, a run that is refused."""


class LeaseLost(Exception):
    """Another host owns the run by now, or the run is gone: nothing more may be written for it."""


class HostLost(Exception):
    """This host's row is gone or its lease is over: others may own its runs."""


class RunRefused(Exception):
    """Postgres refused what a run wanted to write; nothing of it was written."""
