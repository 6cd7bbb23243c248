"""One run under one owner, from its claim until it is given up.

Its journal is folded into the core's state; then, round after round, the core says what to do, attempts are executed,
and what comes of them is recorded. A run is given up when it is over, parked or paused, or for another host.
"""
