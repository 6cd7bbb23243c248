"""A cache with a bound: the values used longest ago make room."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Kept(NamedTuple, Generic[Value]):
    value: Value
    weight: int
    until: float | None


class BoundedCache(Generic[Key, Value]):
    """Values by key, at most so many, or of so much weight together. Those used longest ago make room.

    For what was read or made and is remembered; results of pure functions are kept by ``functools.lru_cache``.
    May be used from any thread. A value is shared by all who get it. Each call costs the same however much is kept,
    except ``drop``.

    Args:
        most: What all values may weigh together; each weighs 1 unless ``put`` says otherwise.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept[Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def weight(self) -> int:
        """Sum of the weights of all values."""
        return self._weight

    def get(self, key: Key) -> Value | None:
        """Return a value, which has then been used last; None where none is kept, or its time is over."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or (kept.until is not None and kept.until <= time.monotonic()):
                return None
            self._kept.move_to_end(key)
            return kept.value

    def put(self, key: Key, value: Value, *, weight: int = 1, until: float | None = None) -> list[Value]:
        """Keep a value in the place of the one of the same key; one that weighs too much alone is not kept.

        Args:
            key: Its key.
            value: The value.
            weight: What it weighs.
            until: When its time is over, as ``time.monotonic`` has it; None for never.

        Returns:
            The values that are not kept any more, for those who have to close them.
        """
        with self._lock:
            gone = self._remove([key])
            if weight > self._most:
                return [*gone, value]
            self._kept[key] = _Kept(value, weight, until)
            self._weight += weight
            while self._weight > self._most:
                gone += self._remove([next(iter(self._kept))])
            return gone

    def pop(self, key: Key) -> Value | None:
        """Forget a value and return it, its time over or not; None where none is kept."""
        with self._lock:
            return next(iter(self._remove([key])), None)

    def drop(self, wants: Callable[[Value], bool]) -> None:
        """Forget the values for which this is true; looks at all of them."""
        with self._lock:
            self._remove([key for key, kept in self._kept.items() if wants(kept.value)])

    def clear(self) -> list[Value]:
        """Forget all values and return them."""
        with self._lock:
            return self._remove(list(self._kept))

    def _remove(self, keys: list[Key]) -> list[Value]:
        gone = [self._kept.pop(key) for key in keys if key in self._kept]
        self._weight -= sum(kept.weight for kept in gone)
        return [kept.value for kept in gone]
