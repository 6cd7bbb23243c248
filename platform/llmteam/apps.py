"""Django's entries to the wiring: for its management commands, and for the operator console."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class LlmteamConfig(AppConfig):
    """The app's name, and the Celery application every process of ours sends through."""

    name = "llmteam"

    def ready(self) -> None:
        """Make our Celery application the one all threads use: a thread that asks for one would else get another."""
        from llmteam.celery import app  # noqa: PLC0415 - it reads the settings, which are not ready before

        app.set_default()


class ConsoleConfig(admin_apps.AdminConfig):
    """Django's admin, with our site in the place of its own."""

    default = False
    default_site = "llmteam.admin_site.OperatorSite"
