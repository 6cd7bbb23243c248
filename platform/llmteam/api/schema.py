"""The API's description: what every operation has in common is added here, once."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.settings import spectacular_settings
from rest_framework import serializers

from foundation.requests import Strict
from kernel.errors import PROBLEM, Invalid, LlmteamError, TooLarge
from kernel.values import MalformedJson, ValueRefused
from llmteam.api.content import UnsupportedContent
from llmteam.api.problems import DatabaseAway, problem
from tenants.errors import CsrfMissing, KeyMissing, KeyRefused, ScopeMissing, TooManyAttempts

_EXAMPLE_REQUEST_ID: Final = "01a20c5a-67bc-70b7-a9c6-60e0d8130e1f"
_ALWAYS: Final = (KeyMissing, KeyRefused, TooManyAttempts, DatabaseAway)
_WITH_BODY: Final = (MalformedJson, TooLarge, UnsupportedContent, ValueRefused)


class FindingOfProblemShape(serializers.Serializer[Any]):
    """One of the things that are wrong."""

    pointer = serializers.CharField(allow_null=True, help_text="JSON pointer into what was sent, or the parameter.")
    step_id = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()
    hint = serializers.CharField(allow_null=True)


class ProblemShape(serializers.Serializer[Any]):
    """Problem of a request (RFC 9457). ``code`` is stable; ``detail`` is for people. Some have further members."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FindingOfProblemShape(many=True)  # type: ignore[assignment]  # fields are moved out of the class
    request_id = serializers.CharField()


class Schema(AutoSchema):
    """Describes an operation, its key, and every problem it may answer with.

    A view names the errors of its own in ``refusals``, by method: those of the app, not those all calls share.
    """

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        """Add the problems to what the view's annotations tell."""
        operation: dict[str, Any] | None = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is not None and self.path.startswith("/api/v1/"):
            for status, errors in self._problems("requestBody" in operation).items():
                operation["responses"][str(status)] = self._problem_response(status, errors)
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        """Either header will do."""
        return (
            [{name: []} for name in spectacular_settings.APPEND_COMPONENTS["securitySchemes"]]
            if self.path.startswith("/api/v1/")
            else [{}]
        )

    def get_tags(self) -> list[str]:
        """Group operations by the first part of their address."""
        return [self.path.removeprefix("/api/v1/").removeprefix("/api/").split("/")[0]]

    def _get_serializer_name(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> str:
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        return name.removesuffix("Shape")

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        """Say that what ``Strict`` refuses is refused."""
        described: dict[str, Any] = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        return {**described, "additionalProperties": False} if isinstance(serializer, Strict) else described

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        """Add what the field itself tells, that blanks alone are not text, and that a list has to have something."""
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if isinstance(field, serializers.CharField) and isinstance(field.root, Strict):
            cut = field.trim_whitespace and not field.allow_blank
            schema.update({"pattern": r"\S"} if cut and "pattern" not in schema else {})
        if isinstance(field, serializers.ListField) and not field.allow_empty:
            schema["minItems"] = 1
        schema.update(getattr(field, "described", {}))

    def map_parsers(self) -> list[str]:
        """Name the one content type all bodies may have; a start names its second itself."""
        return ["application/json"]

    def _problems(self, has_body: bool) -> dict[int, list[LlmteamError]]:
        scope = getattr(self.view, "required_scopes", {}).get(self.method)
        own: Iterable[type[LlmteamError]] = getattr(self.view, "refusals", {}).get(self.method, ())
        errors: list[LlmteamError] = [kind() for kind in (*_ALWAYS, *own, *(_WITH_BODY if has_body else ()))]
        if self.method not in {"GET", "HEAD"}:
            errors.append(CsrfMissing())
        if scope:
            errors.append(ScopeMissing(f"This call needs a key with the scope `{scope}`.", extra={"scope": scope}))
        if self.get_override_parameters():
            errors.append(Invalid("A parameter is unknown or has a wrong value."))
        by_status: dict[int, list[LlmteamError]] = {}
        for error in errors:
            by_status.setdefault(error.status, []).append(error)
        return dict(sorted(by_status.items()))

    def _problem_response(self, status: int, errors: list[LlmteamError]) -> dict[str, Any]:
        shape = self.resolve_serializer(ProblemShape, "response").ref
        examples = {
            error.code: {"summary": error.title, "value": {**problem(error), "request_id": _EXAMPLE_REQUEST_ID}}
            for error in errors
        }
        return {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": shape, "examples": examples}},
        }
