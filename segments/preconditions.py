"""Preconditions of a change: what its caller requires of the content that is there (RFC 9110, 13.1)."""

from dataclasses import dataclass
from typing import Self

from rest_framework.request import Request

from segments.errors import RevisionMismatch


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Requirements on a document's present content, each a list of entity tags or ``*`` for any content.

    Attributes:
        if_match: Tags of which the content must have one; None requires nothing.
        if_none_match: Tags of which it must have none; None requires nothing.
    """

    if_match: str | None = None
    if_none_match: str | None = None

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read those of a request."""
        return cls(request.headers.get("If-Match"), request.headers.get("If-None-Match"))

    def check(self, present: str | None) -> None:
        """Hold them against the content that is there.

        Args:
            present: Its entity tag; None: there is no content.

        Raises:
            RevisionMismatch: One of them does not hold, so nothing may be changed.
        """
        if self.if_match is not None and (present is None or not {"*", present} & _tags(self.if_match)):
            raise RevisionMismatch(
                f"The present content has the tag {present or 'none'}; read it again and repeat your change.",
                extra={"etag": present},
            )
        if self.if_none_match is not None and present is not None:
            refused = {tag.removeprefix("W/") for tag in _tags(self.if_none_match)}
            if {"*", present} & refused:
                raise RevisionMismatch(
                    f"There is content with the tag {present}, and `If-None-Match` rules it out.",
                    extra={"etag": present},
                )


NOTHING_REQUIRED = Preconditions()


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",")}
