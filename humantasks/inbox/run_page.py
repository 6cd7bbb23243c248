"""The page with the picture of a run, for people who are asked something in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from foundation.scope import reading_scope
from humantasks import selectors
from humantasks.inbox.cards import Card, card_of
from humantasks.rules import Person
from humantasks.selectors import TaskQuery
from runs.errors import RunNotFound
from runs.picture import Box, Picture, draw
from runs.selectors import get_run, slot_wait, step_states
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class RunPage:
    """Content of a run's page: the graph and its open questions, none of the run's data.

    ``ahead``: how many of the tenant's runs come first where it waits for a worker's room; else None.
    """

    title: str
    status: str
    picture: Picture
    steps: Sequence[Box]
    cards: Sequence[Card]
    ahead: int | None = None


def run_page(*, tenant: Tenant, person: Person, run_id: UUID) -> RunPage:
    """Read what the page shows.

    Raises:
        RunNotFound: The tenant has no such run, or nothing in it is asked of this person.
    """
    with reading_scope(tenant.id):
        query = TaskQuery(run_id=run_id, limit=50)
        tasks = selectors.list_tasks(tenant=tenant, person=person, query=query).rows
        if not tasks:
            raise RunNotFound
        found = get_run(tenant=tenant, run_id=run_id)
        definition = found.revision.definition
        slot = slot_wait(found)
        picture = draw(definition, step_states(found))
        return RunPage(
            title=definition.get("name") or found.segment_id,
            status=found.get_status_display(),
            picture=picture,
            steps=picture.boxes,
            cards=[card_of(task, person) for task in tasks],
            ahead=None if slot is None else slot["ahead"],
        )
