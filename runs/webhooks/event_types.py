"""Event types that a webhook endpoint may ask for, single and in groups. Pure."""

from collections.abc import Iterable
from typing import Final

from runs.callbacks.payload import ENDS
from runs.core import EventType

LICENCE_EXPIRING: Final = "tenant.licence_expiring"
LICENCE_ENDED: Final = "tenant.licence_ended"
CHECKPOINT: Final = "audit.checkpoint"
TEST: Final = "webhook.test"
"""Type of what a test sends; nobody asks for it."""
OF_RUNS: Final = tuple(kind.value for kind in EventType)
OF_ENTRIES: Final = (LICENCE_EXPIRING, LICENCE_ENDED)
"""Types that are actions of the audit: its entries are what tells of them."""
OF_AUDIT: Final = (*OF_ENTRIES, CHECKPOINT)
EVENT_TYPES: Final = (*OF_RUNS, *OF_AUDIT)
GROUPS: Final = {
    f"{group}.*": tuple(kind for kind in EVENT_TYPES if kind.startswith(f"{group}."))
    for group in dict.fromkeys(kind.split(".")[0] for kind in EVENT_TYPES)
}
"""Names for all types that begin alike."""
BY_DEFAULT: Final = tuple(kind.value for kind in ENDS)


def expand(names: Iterable[str]) -> list[str]:
    """Write groups out; each type once, in the order of ``EVENT_TYPES``."""
    wanted = {kind for name in names for kind in GROUPS.get(name, (name,))}
    return [kind for kind in EVENT_TYPES if kind in wanted]
