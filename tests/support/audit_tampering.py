"""Ways to break a log of 600 leaves, two full tiles and a partial one, and what the verifier has to say of each."""

from collections.abc import Callable
from typing import Any

from audit.log.leaves import entry_line
from kernel.signed_notes import NoteSigner
from tests.support.audit_logs import ORIGIN, SIGNED_AT, MadeLog, verdict

SIZE, BAD = 600, 300
"""Leaves of the log, and the one that is broken: in the second bundle."""
OTHER_KEY = NoteSigner(ORIGIN, bytes(range(1, 33)))
GLOBEX = "audit.example/globex"
GLOBEX_KEY = NoteSigner(GLOBEX, bytes(range(2, 34)))

Tampering = Callable[[MadeLog], "dict[str, Any] | None"]
"""Breaks a log, and says what else the verifier is given."""


class Tamperings(dict[str, tuple[Tampering, int, str]]):
    """Tamperings by name, each with the first bad leaf and the kind."""

    def found(self, n: int, kind: str) -> Callable[[Tampering], Tampering]:
        """Register one."""

        def register(tampering: Tampering) -> Tampering:
            assert tampering.__name__ not in self
            self[tampering.__name__] = (tampering, n, kind)
            return tampering

        return register

    def judge(self, name: str, log: MadeLog) -> None:
        """Do one, and hold what the verifier says against what it has to say."""
        tampering, n, kind = self[name]
        found = verdict(log, **(tampering(log) or {}))
        assert not found["ok"]
        bad = found["first_bad"]
        assert (bad["n"], bad["kind"]) == (n, kind), bad["detail"]


def kept(log: MadeLog) -> str:
    """A checkpoint that somebody else kept: the first 256 leaves."""
    return log.checkpoint(256, at=SIGNED_AT - 100)


def spread(log: MadeLog) -> None:
    """Write the leaves into the files without making tiles anew."""
    log.files |= log.bundles()
    log.files["entries.ndjson"] = b"".join(map(entry_line, log.leaves))


def rewrite(log: MadeLog, signer: NoteSigner | None = None) -> None:
    """Compute all of the log anew, as whoever has the database can; keep the checkpoint, or sign with a key."""
    checkpoint = log.files["checkpoint"]
    log.write()
    log.files["checkpoint"] = log.checkpoint(signer=signer).encode() if signer else checkpoint
