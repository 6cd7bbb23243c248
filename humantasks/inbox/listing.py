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
class ListQuery:
    """Query of a task list, from its address; unknown parts are ignored."""

    box: str = MINE
    segment: str = ""
    overdue: bool = False
    cursor: str | None = None

    def href(self, **other: str) -> str:
        """Write the address of this list, or of one that differs in a few words."""
        words = {"box": self.box, "segment": self.segment, "overdue": "1" if self.overdue else "", **other}
        query = {name: text for name, text in words.items() if text and (name, text) != ("box", MINE)}
        address = reverse("inbox:list")
        return f"{address}?{urlencode(query)}" if query else address


@dataclass(frozen=True, slots=True)
class ListPage:
    """Content of a list's page."""

    title: str
    query: ListQuery
    tabs: Sequence[Tab]
    cards: Sequence[Card]
    overdue_count: int | str
    next_href: str
    empty_title: str
    empty_text: str
    elsewhere: str

    @property
    def box(self) -> str:
        """The name of the list."""
        return self.query.box

    @property
    def segment(self) -> str:
        """The workflow, or the part of its name, that the list is narrowed to; blank for all."""
        return self.query.segment

    @property
    def overdue(self) -> bool:
        """Whether the list is narrowed to tasks that are late."""
        return self.query.overdue

    @property
    def is_filtered(self) -> bool:
        """Whether some may be left out."""
        return bool(self.query.segment or self.query.overdue)

    @property
    def here(self) -> str:
        """The address of the list's first page."""
        return self.query.href()

    @property
    def unfiltered(self) -> str:
        """The address of the whole list."""
        return self.query.href(segment="", overdue="")

    @property
    def can_select(self) -> bool:
        """Whether some can be decided together."""
        return any(card.can_select for card in self.cards)


def read_list_query(query: Mapping[str, str]) -> ListQuery:
    """Read the address of a list."""
    box = query.get("box", MINE)
    return ListQuery(
        box=box if box in TITLES else MINE,
        segment="".join(filter(str.isprintable, query.get("segment", ""))).strip()[:64],
        overdue=query.get("overdue") == "1" and box != DONE,
        cursor=query.get("cursor", "")[:MAX_CURSOR_LENGTH] or None,
    )


def home_address(*, tenant: Tenant, person: Person) -> str:
    """Return the address of the list somebody goes on with: their own, or their groups' when theirs is empty."""
    counts = selectors.count_tasks(tenant=tenant, person=person)
    return ListQuery(box=MINE if counts[MINE] or not counts[GROUPS] else GROUPS).href()


def list_page(*, tenant: Tenant, person: Person, query: ListQuery) -> ListPage:
    """Read what the page of a list shows.

    Raises:
        CursorRefused: The address has a cursor that no list gave out.
    """
    with reading_scope(tenant.id):
        counts = selectors.count_tasks(tenant=tenant, person=person)
        found = _tasks(tenant, person, query)
        cards = [card_of(task, person) for task in found.rows]
    empty_title, empty_text = _emptiness(query)
    return ListPage(
        title=gettext("Inbox: %(list)s") % {"list": TITLES[query.box]},
        query=query,
        tabs=[_tab(box, query, counts) for box in TITLES],
        cards=cards,
        overdue_count=selectors.shown_count(counts["overdue"]),
        next_href=query.href(cursor=found.next_cursor) if found.next_cursor else "",
        empty_title=empty_title,
        empty_text=empty_text,
        elsewhere=ListQuery(box=GROUPS).href() if query.box == MINE and counts[GROUPS] else "",
    )


def _tasks(tenant: Tenant, person: Person, query: ListQuery) -> Page[HumanTask]:
    wanted = TaskQuery(
        box=query.box,
        status=ENDED if query.box == DONE else (),
        overdue=True if query.overdue else None,
        workflow=query.segment or None,
        cursor=query.cursor,
        limit=PAGE_SIZE,
    )
    read = selectors.list_tasks if query.box == DONE else selectors.list_open_tasks
    return read(tenant=tenant, person=person, query=wanted)


def _tab(box: str, query: ListQuery, counts: Mapping[str, int]) -> Tab:
    counted = box if box in {MINE, GROUPS} else ""
    return Tab(
        str(TITLES[box]),
        ListQuery(box=box).href(),
        box == query.box,
        selectors.shown_count(counts.get(box, 0)),
        counted,
    )


def _emptiness(query: ListQuery) -> tuple[str, str]:
    if query.segment or query.overdue:
        return gettext("No task matches the filter"), gettext("Show all tasks, or change the filter.")
    return {
        MINE: (
            gettext("Nothing waits for you"),
            gettext("Tasks assigned to you by name, and tasks you claim, appear here."),
        ),
        GROUPS: (
            gettext("Nothing waits for your groups"),
            gettext("Tasks that anybody in your groups may answer appear here."),
        ),
        ALL: (gettext("Nothing is open"), gettext("All open tasks you may see appear here.")),
        DONE: (gettext("Nothing is done yet"), gettext("Tasks that were decided, timed out or closed appear here.")),
    }[query.box]
