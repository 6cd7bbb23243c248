"""State of a breaker in this process, used while Redis is away. ``shared`` has the same rules in Lua."""

from runs.circuits.protocol import BreakerReply, BreakerRequest, BreakerRules, BreakerVerdict, CallOutcome


class LocalState:
    """One breaker. ``trips`` counts how often in a row it has opened; 0 is closed."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._probe: str | None = None
        self._why = ""
        self._close()

    def ask(self, request: BreakerRequest, *, now: int) -> BreakerReply:
        """Take in what ended, then say what may begin; ``now`` in milliseconds."""
        self._forget_old(now)
        succeeded, failed = request.succeeded, request.failed
        opened = False
        self._why = request.why or self._why
        for call_id, outcome in request.settled:
            if call_id == self._probe:
                self._probe = None
                succeeded += outcome is CallOutcome.SUCCEEDED
                opened = self._end_probe(outcome, now) or opened
            elif self._calls.pop(call_id, None) is not None:
                succeeded += outcome is CallOutcome.SUCCEEDED
                failed += outcome is CallOutcome.FAILED
        if not self._trips:
            opened = self._count(succeeded, failed, now)
        self._renew(request.alive, now)
        verdict, granted, wait_ms = self._admit(request, now)
        failures = self._sum(1) if verdict is BreakerVerdict.COUNTED else 0
        return BreakerReply(verdict, granted, wait_ms, opened, failures, self._why if self._trips else "")

    def _close(self) -> None:
        self._trips = self._open_until = self._probe_until = self._streak = self._proven_until = 0
        self._probe = None
        self._calls: dict[str, int] = {}
        self._buckets: dict[int, list[int]] = {}

    def _open(self, trips: int, now: int) -> None:
        self._close()
        self._trips, self._open_until = trips, now + self._rules.cooldown_ms(trips)

    def _forget_old(self, now: int) -> None:
        oldest = (now - round(self._rules.window_seconds * 1000)) // self._rules.bucket_ms
        self._buckets = {bucket: counts for bucket, counts in self._buckets.items() if bucket > oldest}
        self._calls = {call_id: until for call_id, until in self._calls.items() if until > now}
        if self._probe_until <= now:
            self._probe = None

    def _end_probe(self, outcome: CallOutcome, now: int) -> bool:
        if outcome is CallOutcome.SUCCEEDED:
            self._close()
        elif outcome is CallOutcome.FAILED:
            self._open(self._trips + 1, now)
            return True
        return False

    def _count(self, succeeded: int, failed: int, now: int) -> bool:
        if not succeeded and not failed:
            return False
        counts = self._buckets.setdefault(now // self._rules.bucket_ms, [0, 0])
        counts[0] += succeeded
        counts[1] += failed
        all_failed = self._sum(1)
        total = self._sum(0) + all_failed
        if failed and total >= self._rules.least_calls and all_failed >= self._rules.failing_share * total:
            self._open(1, now)
            return True
        if failed:
            self._streak = 0
        else:
            self._streak = succeeded + (self._streak if self._proven_until > now else 0)
            self._proven_until = now + round(self._rules.proven_seconds * 1000)
        return False

    def _renew(self, alive: tuple[str, ...], now: int) -> None:
        until = now + round(self._rules.lease_seconds * 1000)
        for call_id in alive:
            if call_id in self._calls:
                self._calls[call_id] = until
            elif call_id == self._probe:
                self._probe_until = until

    def _admit(self, request: BreakerRequest, now: int) -> tuple[BreakerVerdict, int, int]:
        until = now + round(self._rules.lease_seconds * 1000)
        if self._trips:
            if self._open_until > now:
                return BreakerVerdict.OPEN, 0, self._open_until - now
            if self._probe is not None or not request.wanted:
                return BreakerVerdict.PROBED, 0, 0
            self._probe, self._probe_until = request.ids[0], until
            return BreakerVerdict.PROBE, 1, 0
        total = self._sum(0) + self._sum(1)
        is_proven = self._streak >= self._rules.least_calls and self._proven_until > now
        if total >= self._rules.least_calls or is_proven:
            return BreakerVerdict.FREE, request.wanted, 0
        room = max(0, self._rules.unproven_calls - total - len(self._calls))
        granted = min(request.wanted, room, len(request.ids))
        self._calls.update((call_id, until) for call_id in request.ids[:granted])
        return BreakerVerdict.COUNTED, granted, 0

    def _sum(self, which: int) -> int:
        return sum(counts[which] for counts in self._buckets.values())
