"""The platform inside a Python program: validate and save segments, start runs, await their end.

The program has the environment of a worker: ``DATABASE_URL``, ``REDIS_URL``, ``SECRET_KEYS``. See docs/howto/embed.md.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import django
from django.apps import apps

from runs.step_api.base import StepHandler
from runs.steps.registry import register

if TYPE_CHECKING:
    from llmteam.embed.platform import Platform

__all__ = ["connect"]


def connect(tenant: str, *, step_types: Sequence[type[StepHandler]] = ()) -> "Platform":
    """Set Django up, if the program has not, and give a tenant's platform.

    Args:
        tenant: The tenant's slug.
        step_types: Handlers of the program's own step types. Only this process executes them, so it needs
            ``Platform.worker``.

    Raises:
        LookupError: There is no such tenant.
        RuntimeError: Django is set up already, so no step type can be added.
        ImproperlyConfigured: A step type cannot be used, or the environment lacks something.
    """
    for handler in step_types:
        register(handler)
    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
        django.setup()
    from llmteam.embed.platform import Platform  # noqa: PLC0415 - models need Django set up

    return Platform(tenant)
