"""Errors about licences and trials."""

from typing import Final

from kernel.errors import Conflict, Invalid, Refused

MALFORMED: Final = "MALFORMED"
UNKNOWN_SIGNER: Final = "UNKNOWN_SIGNER"
FORGED: Final = "FORGED"
FOREIGN: Final = "FOREIGN"
ENDED: Final = "ENDED"
OLDER: Final = "OLDER"
ID_TAKEN: Final = "ID_TAKEN"
REASONS: Final = (MALFORMED, UNKNOWN_SIGNER, FORGED, FOREIGN, ENDED, OLDER, ID_TAKEN)
"""Values of ``extra.reason`` of a refusal."""


class LicenceRefused(Invalid):
    """The text is no licence for this tenant that counts now; ``extra.reason`` is one of ``REASONS``."""

    code = "LICENCE_REFUSED"
    title = "The licence was not accepted"

    def __init__(self, detail: str | None = None, *, reason: str = MALFORMED) -> None:
        """Say why."""
        super().__init__(detail, extra={"reason": reason})


class TrialUsed(Conflict):
    """The tenant has had its trial; there is one, ever."""

    code = "TRIAL_USED"
    title = "The tenant has had its trial"


class TrialNotNeeded(Conflict):
    """The tenant may use as much already as the trial would give."""

    code = "TRIAL_NOT_NEEDED"
    title = "The trial would give nothing that the tenant does not have"


class TrialNotOffered(Refused):
    """Trials of this kind are given by the operator."""

    code = "TRIAL_NOT_OFFERED"
    title = "Trials are given by the operator of the installation"


class TrialInvalid(Invalid):
    """A trial of a tier that does not exist, or of a length that none has."""

    code = "TRIAL_INVALID"
    title = "There is no such trial"
