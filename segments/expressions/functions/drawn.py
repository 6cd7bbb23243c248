"""Functions that draw from the clock and from chance; the same for all attempts of an activation."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from kernel.types import Json
from segments.expressions.draws import Draws
from segments.expressions.errors import ExpressionFailed
from segments.expressions.functions.date_texts import written
from segments.expressions.functions.dates import in_zone
from segments.expressions.limits import Fuel


def now(fuel: Fuel, /) -> Json:
    """Give the time when the activation began."""
    return written(_moment(fuel, "now"))


def today(fuel: Fuel, /, *, zone: Json = "UTC") -> Json:
    """Give the date when the activation began, as it was in a time zone."""
    return in_zone(_moment(fuel, "today"), zone).date().isoformat()


def new_uuid(fuel: Fuel, /) -> Json:
    """Give an identifier that nothing else has."""
    fuel.spend(10)
    return _draws(fuel, "uuid").next_uuid()


def _moment(fuel: Fuel, owner: str) -> datetime:
    fuel.spend(2)
    return datetime.fromtimestamp(_draws(fuel, owner).at, UTC)


def _draws(fuel: Fuel, owner: str) -> Draws:
    if fuel.draws is None:
        raise ExpressionFailed(f"`{owner}` has a value only while a run executes a step.")
    return fuel.draws


DRAWN: Final[dict[str, Callable[..., Json]]] = {"now": now, "today": today, "uuid": new_uuid}
