"""Large values that stay the text they are written as."""

from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from kernel.types import Json
from kernel.values import MAX_VALUE_BYTES, check_bytes


@dataclass(frozen=True, slots=True)
class JsonText:
    """A normalised value as JSON, to be handed to the compute pool.

    For values that strangers wrote: of a few MiB of small ones the objects alone, to make, to look through and to let
    go, would hold an event loop for tenths of a second.
    """

    text: bytes = field(repr=False)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return self.text.startswith(b"[")

    def read(self, *, limit: int = MAX_VALUE_BYTES) -> Json:
        """Make the value.

        Raises:
            ValueTooLarge: It takes more bytes than ``limit``, so it was not made.
        """
        check_bytes(len(self.text), limit=limit)
        value: Json = orjson.loads(self.text)
        return value


JsonOrText: TypeAlias = "Json | JsonText"
"""A value, of a large one its text."""
