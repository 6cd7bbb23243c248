"""Names of actors in journal and audit: ``member:<id>``, ``key:<public id>``, or one acting for another."""

from typing import Final

_FOR: Final = " for "
_KEY: Final = "key:"


def acting_through(key: str, actor: str) -> str:
    """Name a key and in whose name it acts: ``key:ab12 for member:01a2...``; without a key, the actor alone."""
    return f"{key}{_FOR}{actor}" if key else actor


def chain(actor: str) -> tuple[str, ...]:
    """Tell the parties of an actor's name in order: a key comes before the one it acts for."""
    return tuple(part for part in actor.split(_FOR) if part)


def parties(actor: str) -> frozenset[str]:
    """Tell everybody an actor's name stands for: a key that acts for a member is both."""
    return frozenset(chain(actor))


def key_of(actor: str) -> str | None:
    """Tell the public id of the key in an actor's name, if one has a part in it."""
    return next((part.removeprefix(_KEY) for part in parties(actor) if part.startswith(_KEY)), None)
