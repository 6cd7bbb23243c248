"""The API's routes about open circuits."""

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, read_fields
from runs.circuits.listing import list_circuits, reset_circuit
from runs.circuits.shapes import CircuitFields
from runs.errors import CircuitNotFound, CircuitsUnknown
from tenants.access.callers import caller_of


class CircuitShape(CircuitFields):
    """A circuit that keeps calls away from what failed."""

    circuit_id = serializers.CharField()
    opened_at = serializers.DateTimeField(help_text="When it opened last.")
    trips = serializers.IntegerField(help_text="How often in a row it has opened.")


class CircuitsShape(serializers.Serializer[Any]):
    """All that are open, the latest first."""

    data = CircuitShape(many=True)  # type: ignore[assignment]  # the name callers know


class CircuitsView(APIView):
    """Open circuits of the tenant."""

    required_scopes: ClassVar = {"GET": "tenant:read"}
    refusals: ClassVar = {"GET": (CircuitsUnknown,)}

    @extend_schema(
        operation_id="list_circuits",
        summary="List open circuits",
        description="Hosts, and models of connections, that are not called because their calls failed. "
        "At most a thousand, the latest first.",
        responses=CircuitsShape,
    )
    def get(self, request: Request) -> Response:
        """Answer all."""
        found = list_circuits(caller_of(request).tenant)
        return Response({"data": [_body(asdict(circuit)) for circuit in found]})


class ResetCircuitView(APIView):
    """Closing one by hand."""

    required_scopes: ClassVar = {"POST": "tenant:write"}
    refusals: ClassVar = {"POST": (CircuitNotFound, CircuitsUnknown)}

    @extend_schema(
        operation_id="reset_circuit",
        summary="Close a circuit",
        description="Calls are made again at once, a few at a time until they succeed. Runs that wait for it "
        "continue at their planned time, within five minutes.",
        request=NoFields,
        responses={204: None},
    )
    def post(self, request: Request, circuit_id: str) -> Response:
        """Close it."""
        caller = caller_of(request)
        read_fields(NoFields, request.data)
        reset_circuit(tenant=caller.tenant, actor=caller.actor, circuit_id=circuit_id)
        return Response(status=204)


def _body(circuit: dict[str, Any]) -> dict[str, Any]:
    """Fill a ``CircuitShape``."""
    return {name: value for name, value in circuit.items() if name != "tenant_id" and (name != "model" or value)}
