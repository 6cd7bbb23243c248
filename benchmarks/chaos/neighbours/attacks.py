"""All attacks, by name."""

from benchmarks.chaos.neighbours import lists, outside, readers, requests, values, work
from benchmarks.chaos.neighbours.attack import Attack

ATTACKS: dict[str, Attack] = {
    **work.ATTACKS,
    **requests.ATTACKS,
    **outside.ATTACKS,
    **values.ATTACKS,
    **readers.ATTACKS,
    **lists.ATTACKS,
}
