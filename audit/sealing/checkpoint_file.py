"""The checkpoint file: each checkpoint as a line of JSON, for whoever takes it out of the installation's reach."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from django.conf import settings

from audit.log.checkpoints import read_checkpoint
from kernel.signed_notes import NoteRefused, read_note

log = logging.getLogger(__name__)

MAX_KEPT: Final = 20_000
"""Checkpoints of a log that are held against it: of more, from all its time, every second one is left out."""


def kept_checkpoints() -> dict[str, dict[int, bytes]]:
    """Read the roots by size that ``AUDIT_CHECKPOINT_FILE`` has of each log, by its name; none where it is not set.

    Of a log's checkpoints ``MAX_KEPT`` are read, from all its time. A line that was not written to its end is passed
    over.
    """
    kept: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
    if settings.AUDIT_CHECKPOINT_FILE:
        with suppress(FileNotFoundError), Path(settings.AUDIT_CHECKPOINT_FILE).open(encoding="utf-8") as file:
            for line in file:
                with suppress(ValueError, TypeError, KeyError, NoteRefused):
                    state = read_checkpoint(read_note(json.loads(line)["checkpoint"]).text)
                    roots = kept[state.origin]
                    # Of two of one size the older one counts: a log that was taken back has grown to it again.
                    roots.setdefault(state.size, state.root)
                    if len(roots) > MAX_KEPT:
                        kept[state.origin] = dict(islice(roots.items(), 0, None, 2))
    return dict(kept)


def write_checkpoints(notes: Iterable[str]) -> None:
    """Append checkpoints to ``AUDIT_CHECKPOINT_FILE``, if it is set. One that cannot be written is logged.

    A line is ``{"checkpoint": note}``. A process that is killed right after its batch writes no line of it; the next
    checkpoint of the log covers it.
    """
    if not settings.AUDIT_CHECKPOINT_FILE:
        return
    lines = "".join(json.dumps({"checkpoint": note}, ensure_ascii=False) + "\n" for note in notes)
    try:
        with open(settings.AUDIT_CHECKPOINT_FILE, "a", encoding="utf-8") as file:  # noqa: PTH123 - one write, appended
            file.write(lines)
    except OSError as error:
        log.warning("the checkpoint file cannot be written: %s", error.strerror)
