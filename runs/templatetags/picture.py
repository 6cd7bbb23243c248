"""The words in the picture of a run."""

from collections.abc import Mapping
from typing import Final

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from runs.picture import Picture

register = template.Library()

STATES: Final[Mapping[str, str | Promise]] = {
    "not_reached": _("not reached"),
    "asked": _("waits for a person"),
    "waiting": _("waits"),
    "running": _("under way"),
    "completed": _("done"),
    "failed": _("failed"),
    "skipped": _("skipped"),
    "stopped": _("stopped"),
}
MARKS: Final = {
    "not_reached": "○", "asked": "◆", "waiting": "◔", "running": "▶", "completed": "✓", "failed": "✕", "skipped": "↷",
    "stopped": "■",
}  # fmt: skip


@register.filter
def state_label(status: str) -> str:
    """Say how a step stands."""
    return str(STATES[status])


@register.filter
def state_mark(status: str) -> str:
    """Return a sign for how a step stands: colour alone tells not everybody."""
    return MARKS[status]


@register.filter
def in_words(picture: Picture) -> str:
    """List the steps and their states, for those who do not see the picture."""
    return "; ".join(f"{box.name}: {state_label(box.status)}" for box in picture.boxes)
