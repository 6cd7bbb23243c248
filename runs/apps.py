"""Django's entry to the app."""

from django.apps import AppConfig

from runs.providers.registry import provider_addresses
from runs.runtime import registered_refs
from runs.steps.registry import installed_registry
from segments.installed import installed_catalog, installed_connections
from tenants.connections import installed
from tenants.lifecycle.protocols import tenant_work


class RunsConfig(AppConfig):
    """The app's name, and what it supplies to the apps below."""

    name = "runs"

    def ready(self) -> None:
        """Tell the apps below which step types, connections and providers there are. Nothing is loaded for it yet."""
        installed_catalog.register(lambda: installed_registry().catalog)
        installed_connections.register(registered_refs)
        installed.provider_addresses.register(provider_addresses)
        # The models are there now, and were not before.
        from audit.reading.runs_held import stored_runs  # noqa: PLC0415
        from runs.journals.audited import RunsForAudit  # noqa: PLC0415
        from runs.lifecycle.removal import RunsOfTenant  # noqa: PLC0415

        tenant_work.register(RunsOfTenant)
        stored_runs.register(RunsForAudit)
