"""Licences as they are shown and kept: signed by a vendor, or sealed by the installation. Nothing else is believed."""

from collections.abc import Sequence
from datetime import timedelta

from kernel.signed_notes import NoteForged, NoteMalformed, NoteUnsigned, VerifierKey, open_note
from tenants.licences.errors import FOREIGN, FORGED, MALFORMED, UNKNOWN_SIGNER, LicenceRefused
from tenants.licences.terms import MAX_TEXT_BYTES, Licence, LicenceMalformed, read_licence

MAX_NOTE_BYTES = 2 * MAX_TEXT_BYTES
"""Bytes of a licence with its signatures."""
MAX_TRIAL_DAYS = 90


def normalise_pasted(text: str) -> str:
    """Undo what copying and web forms do to a text: other ends of lines, blank lines around it."""
    return text.replace("\r\n", "\n").strip("\n ") + "\n"


def open_licence(note: str, *, tenant: str, keys: Sequence[VerifierKey]) -> Licence:
    """Read a licence that a vendor has signed for a tenant.

    Args:
        note: The licence with its signatures.
        tenant: Short name of the tenant.
        keys: The vendors' keys.

    Raises:
        LicenceRefused: It is malformed, no vendor's, changed, or another tenant's.
    """
    if len(note.encode(errors="replace")) > MAX_NOTE_BYTES:
        raise LicenceRefused(f"A licence has at most {MAX_NOTE_BYTES:,} bytes.", reason=MALFORMED)
    try:
        text = open_note(note, keys).text
    except NoteMalformed as error:
        raise LicenceRefused(f"This is not a signed licence. {error}", reason=MALFORMED) from None
    except NoteForged as error:
        raise LicenceRefused(str(error), reason=FORGED) from None
    except NoteUnsigned:
        raise LicenceRefused(_whose(keys), reason=UNKNOWN_SIGNER) from None
    licence = _licence_for(text, tenant)
    if licence.is_trial:
        raise LicenceRefused("This is a trial; vendors sign licences.", reason=MALFORMED)
    return licence


def read_trial(text: str, *, tenant: str) -> Licence:
    """Read a trial that the installation has sealed; held to what a trial may be, whatever was sealed.

    Raises:
        LicenceRefused: It is none.
    """
    trial = _licence_for(text, tenant)
    if not trial.is_trial or trial.last_day - trial.first_day > timedelta(days=MAX_TRIAL_DAYS):
        raise LicenceRefused(f"A trial is one, and lasts {MAX_TRIAL_DAYS} days at most.", reason=MALFORMED)
    return trial


def _licence_for(text: str, tenant: str) -> Licence:
    try:
        licence = read_licence(text)
    except LicenceMalformed as error:
        raise LicenceRefused(str(error), reason=MALFORMED) from None
    if licence.tenant != tenant:
        raise LicenceRefused(f"The licence is for the tenant {licence.tenant}; this one is {tenant}.", reason=FOREIGN)
    return licence


def _whose(keys: Sequence[VerifierKey]) -> str:
    if not keys:
        return "No vendor's key is known here; the operator sets LICENCE_KEYS."
    names = ", ".join(dict.fromkeys(key.name for key in keys))
    return f"No vendor known here has signed it; known are {names}."
