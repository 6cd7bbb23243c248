"""Navigation of the console, by what operators come for; runs first."""

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse_lazy


def _may(right: str) -> Callable[[HttpRequest], bool]:
    """Show a page to those who have a right."""
    return lambda request: request.user.has_perm(right)


def _page(title: str, icon: str, name: str, right: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}"), "permission": _may(right)}


NAVIGATION: Final[list[dict[str, Any]]] = [
    {"title": "Watch", "items": [
        {"title": "Home", "icon": "home", "link": reverse_lazy("admin:index")},
        _page("Runs", "play_circle", "runs_run_changelist", "runs.view_run"),
        _page("Human tasks", "task_alt", "humantasks_humantask_changelist", "humantasks.view_humantask"),
        _page("Workers", "memory", "runs_worker_changelist", "runs.view_worker"),
        _page("Open circuits", "power_off", "tenants_connection_circuits", "tenants.view_connection"),
        _page("Deliveries", "outbox", "runs_delivery_changelist", "runs.view_delivery"),
        _page("Webhook endpoints", "webhook", "runs_webhookendpoint_changelist", "runs.view_webhookendpoint"),
    ]},
    {"title": "Tenants", "separator": True, "items": [
        _page("Tenants", "apartment", "tenants_tenant_changelist", "tenants.view_tenant"),
        _page("Licences", "verified", "tenants_installedlicence_changelist", "tenants.view_installedlicence"),
        _page("Limits", "speed", "tenants_limitoverride_changelist", "tenants.view_limitoverride"),
        _page("Connections", "cable", "tenants_connection_changelist", "tenants.view_connection"),
        _page("API keys", "key", "tenants_apikey_changelist", "tenants.view_apikey"),
        _page("Members", "group", "tenants_membership_changelist", "tenants.view_membership"),
    ]},
    {"title": "Cost and proof", "separator": True, "items": [
        _page("Cost by tenant", "payments", "runs_usageday_costs", "runs.view_usageday"),
        _page("Usage by day", "bar_chart", "runs_usageday_changelist", "runs.view_usageday"),
        _page("Prices", "sell", "runs_modelprice_changelist", "runs.view_modelprice"),
        _page("Audit", "history", "audit_entry_changelist", "audit.view_entry"),
    ]},
]  # fmt: skip
"""Groups of pages; what is not here stands below it, under *all applications*."""
