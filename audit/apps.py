"""Django's entry to the app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The app's name and defaults."""

    name = "audit"
