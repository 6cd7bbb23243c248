"""Django's entries to the wiring: for its management commands, and for the operator console."""

import logging

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps

from kernel.compute.pool import ComputePool
from kernel.compute.shared import set_compute_pool
from kernel.compute.slot import ProcessBounds
from runs.steps.registry import installed_registry
from tenants.lifecycle.protocols import retention_rules


class LlmteamConfig(AppConfig):
    """The app's name, and what every process of ours needs before it does anything."""

    name = "llmteam"

    def ready(self) -> None:
        """Make our Celery application the one all threads use, load the step types, and set up the compute pool.

        A thread that asks for an application would else get another. A step type that is listed wrongly stops the
        start, not the first run that needs it.

        Raises:
            ImproperlyConfigured: A listed step type cannot be used.
        """
        from llmteam.celery import app  # noqa: PLC0415 - it reads the settings, which are not ready before

        app.set_default()
        logging.captureWarnings(settings.LOG_FORMAT == "json")
        from llmteam.retention import RULES  # noqa: PLC0415 - the models are there now, and were not before

        retention_rules.register(lambda: RULES)
        installed_registry()
        set_compute_pool(_compute_pool())


def _compute_pool() -> ComputePool:
    """Make the pool; its processes start when they are first needed."""
    return ComputePool(
        settings.COMPUTE_FUNCTIONS,
        ProcessBounds(seconds=settings.COMPUTE_SECONDS, memory_bytes=settings.COMPUTE_MEMORY_MIB << 20),
        processes=settings.COMPUTE_PROCESSES,
        most_waiting=settings.COMPUTE_WAITING,
    )


class ConsoleConfig(admin_apps.SimpleAdminConfig):
    """Django's admin, with our site in the place of its own; it is loaded with the routes, which a worker has not."""

    default = False
    default_site = "llmteam.admin_site.OperatorSite"
