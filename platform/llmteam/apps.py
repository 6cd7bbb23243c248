"""Django's entries to the wiring: for its management commands, and for the operator console."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps
from django.utils.module_loading import import_string


class LlmteamConfig(AppConfig):
    """The app's name, and what every process of ours needs before it does anything."""

    name = "llmteam"

    def ready(self) -> None:
        """Make our Celery application the one all threads use, and load the step types.

        A thread that asks for an application would else get another. A step type that is listed wrongly stops the
        start, not the first run that needs it.

        Raises:
            ImproperlyConfigured: A listed step type cannot be used.
        """
        from llmteam.celery import app  # noqa: PLC0415 - it reads the settings, which are not ready before

        app.set_default()
        import_string(settings.STEP_REGISTRY)()


class ConsoleConfig(admin_apps.AdminConfig):
    """Django's admin, with our site in the place of its own."""

    default = False
    default_site = "llmteam.admin_site.OperatorSite"
