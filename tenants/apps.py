"""Django's entry to the app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """The app's name and defaults."""

    name = "tenants"
