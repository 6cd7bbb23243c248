"""Archiving in the console: rows with an ``archived_at`` are taken out of use, after a question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from foundation.console import MAX_AT_ONCE, ConsoleAdmin, NoQuestionsForm, Question, is_confirmed

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class ArchiveWords:
    """Words of the question before rows of one kind are archived; ``action`` is the name of the page's act."""

    action: str
    title: str
    sentence: str

    def question(self, rows: QuerySet[Row]) -> Question:
        """Ask about the chosen rows: how many will be archived, and how many are."""
        counts = rows.order_by().aggregate(
            in_use=Count("pk", filter=Q(archived_at__isnull=True)),
            archived=Count("pk", filter=Q(archived_at__isnull=False)),
        )
        will_be = min(counts["in_use"], MAX_AT_ONCE)
        return Question(
            action=self.action,
            title=self.title,
            sentence=self.sentence,
            button="Archive",
            counts=[("will be archived", will_be), ("archived already", counts["archived"])],
        )


def archive_chosen(
    page: ConsoleAdmin, request: HttpRequest, rows: QuerySet[Row], words: ArchiveWords, archive: Callable[[Row], object]
) -> HttpResponse | None:
    """Take the chosen rows out of use, after asking; at most ``MAX_AT_ONCE``, those that are in use.

    Args:
        page: The page of the rows.
        request: The first asks, the one that confirms acts.
        rows: The chosen ones.
        words: Of the question.
        archive: The service, for one row.
    """
    if not is_confirmed(request):
        return page.ask(request, words.question(rows), form=NoQuestionsForm())
    in_use = list(rows.filter(archived_at__isnull=True).order_by("id")[:MAX_AT_ONCE])
    for row in in_use:
        archive(row)
    page.message_user(request, f"Archived: {len(in_use)}.")
    return None
