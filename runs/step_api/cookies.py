"""Cookies of a run by connection: recorded with the call whose answer set them, sealed, and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson

from kernel.crypto import SealBroken
from kernel.egress import Cookie, CookieStore, merge_cookies
from kernel.types import Json
from tenants.sealing import key_ring, place_of

COOKIES: Final = "cookies"
"""Member of an action's payload: ``connection``, ``kept`` (how many), ``sealed`` (what changed), ``dropped``."""
SEALED: Final = "sealed"
Kept = Mapping[str, tuple[Cookie, ...] | SealBroken]
"""Cookies by connection; where they cannot be opened, why not."""
_MEMBERS: Final = frozenset(Cookie.__dataclass_fields__)


def _seal_nothing(_ref: str, _text: str) -> str:
    """Stand in where there is no journal."""
    return ""


class AttemptCookies:
    """Cookies of one attempt: those recorded when it began, and those it got since."""

    def __init__(self, kept: Kept | None = None, seal: Callable[[str, str], str] = _seal_nothing) -> None:
        self._kept: Kept = kept or {}
        self._seal = seal
        self._stores: dict[str, CookieStore] = {}

    def of(self, ref: str) -> CookieStore:
        """Give those of a connection.

        Raises:
            SealBroken: They were sealed with a key this process has not.
        """
        if ref not in self._stores:
            kept = self._kept.get(ref, ())
            if isinstance(kept, SealBroken):
                raise kept
            self._stores[ref] = CookieStore(kept)
        return self._stores[ref]

    def news(self, ref: str) -> dict[str, Json] | None:
        """Tell, for the journal, what a connection's last call changed about them; None where it changed nothing."""
        store = self.of(ref)
        changed, dropped = store.news(), store.dropped
        store.dropped = 0
        if not changed and not dropped:
            return None
        text = orjson.dumps([asdict(cookie) for cookie in changed]).decode()
        news: dict[str, Json] = {"connection": ref, "kept": len(store), SEALED: self._seal(ref, text)}
        return {**news, "dropped": dropped} if dropped else news


@dataclass(slots=True)
class RunCookies:
    """Cookies of one run, from its journal."""

    tenant_id: UUID
    run_id: UUID
    _kept: Kept = field(default_factory=dict, repr=False)

    def fold(self, payload: Mapping[str, Json]) -> None:
        """Take in what an action's event tells; of two that set the same cookie the later counts."""
        found = _sealed_in(payload)
        if found is None:
            return
        ref, sealed = found
        kept = self._kept.get(ref, ())
        if isinstance(kept, SealBroken):
            return
        try:
            news = _read(key_ring().open(sealed, place=_place(self.tenant_id, self.run_id, ref)))
        except SealBroken as error:
            self._kept = {**self._kept, ref: error}
        else:
            self._kept = {**self._kept, ref: merge_cookies(kept, news)}

    def begin(self) -> AttemptCookies:
        """Give an attempt the cookies that are recorded now."""
        return AttemptCookies(self._kept, self._seal)

    def _seal(self, ref: str, text: str) -> str:
        return key_ring().seal(text, place=_place(self.tenant_id, self.run_id, ref))


def sealed_again(payload: Mapping[str, Json], *, tenant_id: UUID, source: UUID, run_id: UUID) -> dict[str, Json]:
    """Give an event's payload for the journal of another run: its cookies sealed for that one.

    Those that cannot be opened stay as they are, and the other run cannot open them either.
    """
    found, cookies = _sealed_in(payload), payload.get(COOKIES)
    if found is None or not isinstance(cookies, dict):
        return dict(payload)
    ref, sealed = found
    try:
        text = key_ring().open(sealed, place=_place(tenant_id, source, ref))
    except SealBroken:
        return dict(payload)
    return {**payload, COOKIES: {**cookies, SEALED: key_ring().seal(text, place=_place(tenant_id, run_id, ref))}}


def shown_cookies(payload: Mapping[str, Json]) -> Mapping[str, Json]:
    """Give what came of a call as people are shown it: how many cookies there are, and nothing of them."""
    cookies = payload.get(COOKIES)
    if not isinstance(cookies, dict):
        return payload
    return {**payload, COOKIES: {name: value for name, value in cookies.items() if name in {"kept", "dropped"}}}


def _sealed_in(payload: Mapping[str, Json]) -> tuple[str, str] | None:
    cookies: Any = payload.get(COOKIES)
    return (
        (str(cookies["connection"]), str(cookies[SEALED]))
        if isinstance(cookies, dict) and cookies.get(SEALED)
        else None
    )


def _place(tenant_id: UUID, run_id: UUID, ref: str) -> str:
    return place_of(tenant_id=tenant_id, table="runs_runevent", row_id=run_id, field=f"{COOKIES}/{ref}")


def _read(text: str) -> list[Cookie]:
    """Read what was recorded; what another version adds and this one does not know is left out."""
    return [Cookie(**{name: one[name] for name in _MEMBERS & one.keys()}) for one in orjson.loads(text)]
