"""One value of a journal, read slice by slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db.models import Expression, F, Func, TextField, Value
from django.db.models.functions import Cast, Substr

from foundation.pages import bytes_of
from foundation.scope import tenant_scope
from kernel.errors import ErrorItem, Invalid
from runs.errors import ValueNotFound
from runs.models import RunEvent
from runs.selectors import get_run
from tenants.models import Tenant

SLICE_CHARACTERS: Final = 128 * 1024


class PointerRefused(Invalid):
    """The text is not JSON pointer."""

    code = "INVALID_POINTER"
    title = "The pointer is not a JSON pointer"

    def __init__(self) -> None:
        hint = "Leave it out for the whole payload, or begin each part with a slash, as in /ports/output."
        super().__init__(errors=[ErrorItem(code=self.code, detail=f"{self.title}.", hint=hint)])


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A part of an event's payload, as JSON text; events never change."""

    tenant_id: UUID
    run_id: UUID
    seq: int
    path: tuple[str, ...]
    size: int

    def slices(self) -> Iterator[bytes]:
        """Read the text, 128 Ki characters at a time, each in a transaction of its own."""
        at, size = 1, self.size
        while size > 0:
            with tenant_scope(self.tenant_id):
                rows = RunEvent.objects.filter(run_id=self.run_id, seq=self.seq)
                text = rows.values_list(Substr(_part(self.path), at, SLICE_CHARACTERS), flat=True).get().encode()
            yield text
            at += SLICE_CHARACTERS
            size -= len(text)


def find_value(*, tenant: Tenant, run_id: UUID, seq: int, pointer: str) -> StoredValue:
    """Find a part of the payload of a run's event.

    Args:
        tenant: Owner.
        run_id: Which run.
        seq: Which of its events.
        pointer: Which part, as a JSON pointer (RFC 6901); empty for the whole payload.

    Raises:
        RunNotFound: The tenant has no such run.
        PointerRefused: The pointer is none.
        ValueNotFound: The run has no such event, or the event no such part.
    """
    path = _read_pointer(pointer)
    run = get_run(tenant=tenant, run_id=run_id)
    with tenant_scope(tenant.id):
        sizes = run.events.filter(seq=seq).annotate(part=_part(path)).exclude(part=None)
        size = sizes.values_list(bytes_of("part"), flat=True).first()
    if size is None:
        raise ValueNotFound
    return StoredValue(tenant.id, run.id, seq, path, size)


def _part(path: tuple[str, ...]) -> Expression:
    if not path:
        return Cast("payload", TextField())
    where = Value(list(path), output_field=ArrayField(TextField()))
    return Cast(Func(F("payload"), where, template="(%(expressions)s)", arg_joiner=" #> "), TextField())


def _read_pointer(pointer: str) -> tuple[str, ...]:
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise PointerRefused
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))
