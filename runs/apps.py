"""Django's entry to the app."""

from django.apps import AppConfig

from runs.providers.registry import provider_addresses
from runs.runtime import registered_refs
from runs.steps.registry import installed_registry
from segments.installed import installed_catalog, installed_connections
from tenants.connections import installed


class RunsConfig(AppConfig):
    """The app's name, and what it supplies to the apps below."""

    name = "runs"

    def ready(self) -> None:
        """Tell the apps below which step types, connections and providers there are. Nothing is loaded for it yet."""
        installed_catalog.register(lambda: installed_registry().catalog)
        installed_connections.register(registered_refs)
        installed.provider_addresses.register(provider_addresses)
