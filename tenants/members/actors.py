"""Actors in words: keys, members and operators by their names, for pages people read."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_
from typing import Final
from uuid import UUID

from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.lookups import In
from django.utils.translation import gettext, gettext_noop

from kernel.actors import chain
from kernel.ids import parse_id
from tenants.models import ApiKey, Membership, User

MAX_FOUND: Final = 100
"""Of each kind, so many that are named so are searched for."""
_FIXED: Final = {
    "system": gettext_noop("system"),
    "anonymous": gettext_noop("anonymous"),
    "link": gettext_noop("resume link"),
}
_PERSON: Final = ("first_name", "last_name", "email", "username")


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Put actors in words, as the audit writes them; a party that is not known any more stays as it is written.

    Asks the database at most once for each kind of party, however many actors there are.
    """
    asked = set(actors)
    parts = {part for actor in asked for part in chain(actor)}
    known = {part: gettext(_FIXED[part]) for part in parts & _FIXED.keys()}
    keys = [part.removeprefix("key:") for part in parts if part.startswith("key:")]
    if keys:
        rows = ApiKey.objects.filter(public_id__in=keys)
        known |= {f"key:{key.public_id}": gettext("key %(name)s") % {"name": key.name} for key in rows}
    known |= _people("member", parts, Membership.objects.select_related("user"))
    known |= _people("user", parts, User.objects.all())
    return {actor: _joined(actor, known) for actor in asked}


def filter_by_actor_name(text: str) -> Q:
    """Keep rows whose ``actor``, alone or as a party, is called so: by words of a name, e-mail, login or key's name."""
    named = [part for part, word in _FIXED.items() if text.lower() in {part, gettext(word).lower()}]
    keys = ApiKey.objects.filter(name__icontains=text).order_by("-id").values_list("public_id", flat=True)
    named += [f"key:{public_id}" for public_id in keys[:MAX_FOUND]]
    members = (
        Membership.objects.filter(filter_people_by_name(text, "user__")).order_by("-id").values_list("id", flat=True)
    )
    named += [f"member:{member_id}" for member_id in members[:MAX_FOUND]]
    people = User.objects.filter(filter_people_by_name(text)).order_by("-id").values_list("id", flat=True)
    named += [f"user:{user_id}" for user_id in people[:MAX_FOUND]]
    return Q(In(_party(1), named)) | Q(In(_party(2), named))


def filter_people_by_name(text: str, prefix: str = "") -> Q:
    """Keep people each word of a text is in the name, e-mail or login of.

    Args:
        text: What a person typed.
        prefix: The way from a row to its person, as ``user__``.
    """
    words = [_any_has(word, prefix) for word in text.split()]
    return reduce(and_, words) if words else Q(pk__in=[])


def _any_has(word: str, prefix: str) -> Q:
    return Q(*((f"{prefix}{name}__icontains", word) for name in _PERSON), _connector=Q.OR)


def _party(number: int) -> Func:
    return Func(F("actor"), Value(" for "), Value(number), function="split_part", output_field=TextField())


def _people(kind: str, parts: Iterable[str], rows: QuerySet[Membership] | QuerySet[User]) -> dict[str, str]:
    ids = _ids_of(kind, parts)
    if not ids:
        return {}
    found = rows.filter(id__in=ids)
    return {f"{kind}:{row.pk}": str(row.user if isinstance(row, Membership) else row) for row in found}


def _ids_of(kind: str, parts: Iterable[str]) -> list[UUID]:
    ids = (parse_id(part.removeprefix(f"{kind}:")) for part in parts if part.startswith(f"{kind}:"))
    return [each for each in ids if each is not None]


def _joined(actor: str, known: Mapping[str, str]) -> str:
    first, *rest = [known.get(part, part) for part in chain(actor)] or [actor]
    return reduce(lambda key, person: gettext("%(key)s for %(person)s") % {"key": key, "person": person}, rest, first)
