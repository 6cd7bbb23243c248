"""The list of tasks: what is asked for by its address, and what its page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from foundation.scope import reading_scope
from humantasks import selectors
from humantasks.inbox.cards import Card, Tab, card_of
from humantasks.models import HumanTask
from humantasks.rules import Person
from humantasks.selectors import ALL, DONE, GROUPS, MINE, TaskQuery
from humantasks.types import TaskStatus
from kernel.paging import Page
from tenants.models import Tenant

PAGE_SIZE: Final = 25
MAX_CURSOR_LENGTH: Final = 220
TITLES: Final[Mapping[str, str | Promise]] = {
    MINE: _("Mine"),
    GROUPS: _("My groups"),
    ALL: _("All open"),
    DONE: _("Done"),
}
ENDED: Final = tuple(status.value for status in TaskStatus if status != TaskStatus.OPEN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address of the list asks for; anything unknown in it asks for nothing."""

    box: str = MINE
    segment: str = ""
    overdue: bool = False
    cursor: str | None = None

    def href(self, **other: str) -> str:
        """Write the address of this list, or of one that differs in a few words."""
        words = {"box": self.box, "segment": self.segment, "overdue": "1" if self.overdue else "", **other}
        said = {name: text for name, text in words.items() if text and (name, text) != ("box", MINE)}
        address = reverse("inbox:list")
        return f"{address}?{urlencode(said)}" if said else address


@dataclass(frozen=True, slots=True)
class ListPage:
    """Everything the page of a list shows."""

    title: str
    wanted: Wanted
    tabs: Sequence[Tab]
    cards: Sequence[Card]
    overdue_count: int
    next_href: str
    empty_title: str
    empty_text: str
    elsewhere: str

    @property
    def box(self) -> str:
        """Which list."""
        return self.wanted.box

    @property
    def segment(self) -> str:
        """Whose tasks."""
        return self.wanted.segment

    @property
    def overdue(self) -> bool:
        """Whether only those that are late."""
        return self.wanted.overdue

    @property
    def is_filtered(self) -> bool:
        """Whether some may be left out."""
        return bool(self.wanted.segment or self.wanted.overdue)

    @property
    def here(self) -> str:
        """The address of the list's first page."""
        return self.wanted.href()

    @property
    def unfiltered(self) -> str:
        """The address of the whole list."""
        return self.wanted.href(segment="", overdue="")

    @property
    def can_select(self) -> bool:
        """Whether some can be decided together."""
        return any(card.can_select for card in self.cards)


def read_wanted(query: Mapping[str, str]) -> Wanted:
    """Read the address of a list."""
    box = query.get("box", MINE)
    return Wanted(
        box=box if box in TITLES else MINE,
        segment="".join(filter(str.isprintable, query.get("segment", ""))).strip()[:64],
        overdue=query.get("overdue") == "1" and box != DONE,
        cursor=query.get("cursor", "")[:MAX_CURSOR_LENGTH] or None,
    )


def home(*, tenant: Tenant, person: Person) -> str:
    """Return the address of the list somebody goes on with: their own, or their groups' when theirs is empty."""
    counts = selectors.count_tasks(tenant=tenant, person=person)
    return Wanted(box=MINE if counts[MINE] or not counts[GROUPS] else GROUPS).href()


def list_page(*, tenant: Tenant, person: Person, wanted: Wanted) -> ListPage:
    """Read what the page of a list shows.

    Raises:
        CursorRefused: The address has a cursor that no list gave out.
    """
    with reading_scope(tenant.id):
        counts = selectors.count_tasks(tenant=tenant, person=person)
        found = _tasks(tenant, person, wanted)
        cards = [card_of(task, person) for task in found.rows]
    empty_title, empty_text = _emptiness(wanted)
    return ListPage(
        title=gettext("Inbox: %(list)s") % {"list": TITLES[wanted.box]},
        wanted=wanted,
        tabs=[_tab(box, wanted, counts) for box in TITLES],
        cards=cards,
        overdue_count=counts["overdue"],
        next_href=wanted.href(cursor=found.next_cursor) if found.next_cursor else "",
        empty_title=empty_title,
        empty_text=empty_text,
        elsewhere=Wanted(box=GROUPS).href() if wanted.box == MINE and counts[GROUPS] else "",
    )


def _tasks(tenant: Tenant, person: Person, wanted: Wanted) -> Page[HumanTask]:
    query = TaskQuery(
        box=wanted.box,
        status=ENDED if wanted.box == DONE else (),
        overdue=True if wanted.overdue else None,
        workflow=wanted.segment or None,
        cursor=wanted.cursor,
        limit=PAGE_SIZE,
    )
    read = selectors.list_tasks if wanted.box == DONE else selectors.list_open_tasks
    return read(tenant=tenant, person=person, query=query)


def _tab(box: str, wanted: Wanted, counts: Mapping[str, int]) -> Tab:
    counted = box if box in {MINE, GROUPS} else ""
    return Tab(str(TITLES[box]), Wanted(box=box).href(), box == wanted.box, counts.get(box, 0), counted)


def _emptiness(wanted: Wanted) -> tuple[str, str]:
    if wanted.segment or wanted.overdue:
        return gettext("Nothing fits the filter"), gettext("Show all, or filter by something else.")
    return {
        MINE: (gettext("Nothing waits for you"), gettext("What is asked of you by name, or what you claim, is here.")),
        GROUPS: (gettext("Nothing waits for your groups"), gettext("What anybody in your groups may answer is here.")),
        ALL: (gettext("Nothing is open"), gettext("Every open task you may see is here.")),
        DONE: (gettext("Nothing is done yet"), gettext("What was decided, timed out or closed is here.")),
    }[wanted.box]
