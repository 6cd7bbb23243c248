"""A platform without some of its bounds, so that an attack can be seen to bite.

Settings have some bounds; those that are constants or functions of the code are replaced here, in the processes that
load this app: ``CHAOS_WITHOUT`` is an object of JSON, ``{"module:NAME": value}``. The value ``"@name"`` stands for the
function of that name below.
"""

import contextlib
import importlib
import json
import os
import sys
from functools import reduce
from typing import Any

from django.apps import AppConfig

from benchmarks.chaos.neighbours import names

VARIABLE = "CHAOS_WITHOUT"


class UnboundedConfig(AppConfig):
    """Replaces what the environment names, wherever it was imported to."""

    name = "benchmarks.chaos.neighbours.unbounded"
    label = "chaos_neighbours"

    def ready(self) -> None:
        """Replace it, and answer the names of the experiment."""
        names.install()
        for place, value in json.loads(os.environ.get(VARIABLE, "{}")).items():
            _replace(place, value)


def any_free(threads: Any, _owner: Any) -> bool:
    """Let whoever waits have any free thread."""
    return bool(threads._free > 0)  # noqa: SLF001 - stands for a method of it


def nothing(*_arguments: Any, **_options: Any) -> None:
    """Check nothing."""


def never(*_arguments: Any, **_options: Any) -> bool:
    """Say no."""
    return False


def _replace(place: str, value: Any) -> None:
    module_name, _, path = place.partition(":")
    module = importlib.import_module(module_name)
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, module)
    before = getattr(owner, name)
    after = globals()[value[1:]] if isinstance(value, str) and value.startswith("@") else value
    setattr(owner, name, after)
    for other in list(sys.modules.values()) if owner is module else []:
        with contextlib.suppress(Exception):  # modules that answer oddly to names they do not have
            if other.__dict__.get(name) is before or (other.__dict__.get(name) == before and type(before) is int):
                other.__dict__[name] = after
