"""The console's page of open circuits, with a button that closes one."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from foundation.console import actor_of
from runs.circuits.listing import list_circuits, reset_circuit
from runs.errors import CircuitNotFound, CircuitsUnknown
from tenants.models import Tenant


def show_circuits(request: HttpRequest, around: Mapping[str, Any], *, may_reset: bool) -> HttpResponse:
    """Show all that are open, or close the one that is posted.

    Args:
        request: What is asked.
        around: What the console's pages have around them.
        may_reset: Whether who asks may close one.
    """
    if request.method == "POST" and may_reset:
        _reset(request)
        return redirect(request.path)
    try:
        circuits = list_circuits()
    except CircuitsUnknown as error:
        circuits = []
        messages.error(request, f"{error.title}.")
    slugs = dict(Tenant.objects.filter(id__in={circuit.tenant_id for circuit in circuits}).values_list("id", "slug"))
    rows = [{"tenant": slugs.get(circuit.tenant_id, "-"), "circuit": circuit} for circuit in circuits]
    context = {**around, "title": "Open circuits", "rows": rows, "may_reset": may_reset}
    return TemplateResponse(request, "console/circuits.html", context)


def _reset(request: HttpRequest) -> None:
    tenant = get_object_or_404(Tenant, slug=request.POST.get("tenant", ""))
    try:
        reset_circuit(tenant=tenant, actor=actor_of(request), circuit_id=request.POST.get("circuit", ""))
    except (CircuitNotFound, CircuitsUnknown) as error:
        messages.error(request, f"{error.title}.")
    else:
        messages.success(request, "The circuit is closed: calls are made again.")
