"""Django's entry to the app."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The app's name and defaults."""

    name = "runs"
