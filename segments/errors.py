"""Errors about segments."""

from collections.abc import Iterable

from kernel.errors import Conflict, ErrorItem, Invalid, LlmteamError, NotFound
from segments.definition import Finding, Severity


class SegmentNotFound(NotFound):
    """The tenant has no such segment."""

    code = "SEGMENT_NOT_FOUND"
    title = "There is no such segment"


class RevisionNotFound(NotFound):
    """The segment has no such revision."""

    code = "REVISION_NOT_FOUND"
    title = "There is no such revision"


class PromptNotFound(NotFound):
    """The tenant has no such stored prompt."""

    code = "PROMPT_NOT_FOUND"
    title = "There is no such stored prompt"


class PromptVersionNotFound(NotFound):
    """The stored prompt has no such version."""

    code = "PROMPT_VERSION_NOT_FOUND"
    title = "There is no such version of the prompt"


class PromptIdInvalid(Invalid):
    """The text cannot be a stored prompt's name."""

    code = "PROMPT_ID_INVALID"
    title = "A prompt's id begins with a letter and has at most 64 lower case letters, digits, _ and -"


class PromptInvalid(Invalid):
    """A prompt that no step could use."""

    code = "PROMPT_INVALID"
    title = "The prompt cannot be saved"


class StepTypeNotFound(NotFound):
    """The catalog has no such step type."""

    code = "STEP_TYPE_NOT_FOUND"
    title = "There is no such step type"


class SegmentExists(Conflict):
    """A create would replace the content of a segment that is there."""

    code = "SEGMENT_EXISTS"
    title = "A segment of this id exists with other content"


class SegmentArchived(Conflict):
    """An archived segment does not start."""

    code = "SEGMENT_ARCHIVED"
    title = "The segment is archived"


class RevisionMismatch(LlmteamError):
    """The present content is not the one that ``If-Match`` or ``If-None-Match`` requires."""

    code = "REVISION_MISMATCH"
    status = 412
    title = "The content is not the one you require"


class SegmentInvalid(Invalid):
    """The definition has errors: every one of them is in ``errors``."""

    code = "SEGMENT_INVALID"
    title = "The segment has errors"

    @classmethod
    def by(cls, findings: Iterable[Finding], *, below: str = "") -> "SegmentInvalid":
        """Tell the findings that block.

        Args:
            findings: Of any severity; only errors are told.
            below: JSON pointer to where the definition stands in what the caller sent.
        """
        items = [
            ErrorItem(
                code=finding.code,
                detail=finding.message,
                pointer=below + finding.pointer,
                step_id=finding.step_id,
                hint=finding.hint,
            )
            for finding in findings
            if finding.severity is Severity.ERROR
        ]
        return cls(errors=items)
