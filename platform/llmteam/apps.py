"""Django's entry to the wiring; here for its management commands."""

from django.apps import AppConfig


class LlmteamConfig(AppConfig):
    """The app's name."""

    name = "llmteam"
