"""Serializers of connections. The secret goes in and never comes out."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from foundation.request_fields import FiniteFloat, ObjectField
from foundation.requests import Strict
from foundation.shapes import JsonObject
from tenants.connections.certificates import MAX_PEM_LENGTH, expires_at
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import KEEP
from tenants.models import Connection, ConnectionAuth, ConnectionKind, SecretPlace

MAX_HEADERS = 30
_SECRETS = "secret api_key apikey key token access_token password client_secret value"
_IN_AUTH = "username token_url client_id scope audience resource secret_in"
_IN_TLS = {"tls_ca": "ca", "tls_certificate": "certificate", "tls_key": "key"}
LLM_EXAMPLE = {"kind": "llm", "provider": "openai", "model": "gpt-4o-mini", "secret": "sk-..."}
HTTP_EXAMPLE = {
    "kind": "http",
    "base_url": "https://crm.example.com/api",
    "auth": {"type": "header", "name": "X-Crm-Key"},
    "secret": "...",
    "requests_per_minute": 120,
}


class AuthFields(Strict):
    """Authentication of the connection at its host."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("auth_name", "header", "header_name", "parameter", "param", "query"), "`name`"),
        **dict.fromkeys(("auth", "auth_type", "kind", "scheme"), "`type`"),
        **dict.fromkeys(("user", "user_name", "login"), "`username`"),
        **dict.fromkeys(_SECRETS.split(), "`secret`, beside `auth`"),
        "scopes": "`scope`",
    }

    type = serializers.ChoiceField(choices=ConnectionAuth.choices)
    name = serializers.CharField(required=False, max_length=100, help_text="The header's or query parameter's name.")
    username = serializers.CharField(required=False, max_length=200, help_text="For `basic` and `digest`.")
    token_url = serializers.CharField(required=False, max_length=2000, help_text="For `oauth2`.")
    client_id = serializers.CharField(
        required=False, max_length=200, help_text="For `oauth2`; the secret is the client's secret."
    )
    scope = serializers.CharField(required=False, max_length=500, help_text="For `oauth2`.")
    audience = serializers.CharField(required=False, max_length=500, help_text="For `oauth2`.")
    resource = serializers.CharField(required=False, max_length=2000, help_text="For `oauth2`.")
    secret_in = serializers.ChoiceField(
        choices=SecretPlace.choices, required=False, help_text="For `oauth2`: where the secret goes; `header`."
    )


class TlsFields(Strict):
    """Certificates for TLS, in PEM."""

    ca = serializers.CharField(
        required=False, max_length=MAX_PEM_LENGTH, help_text="Authorities of the host, trusted instead of all others."
    )
    certificate = serializers.CharField(
        required=False, max_length=MAX_PEM_LENGTH, help_text="Client certificate, first, and those that lead to its CA."
    )
    key = serializers.CharField(
        required=False,
        write_only=True,
        max_length=MAX_PEM_LENGTH,
        help_text="Private key of the client certificate, not encrypted. Left out it stays; it is never shown.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample("A language model", LLM_EXAMPLE, request_only=True),
        OpenApiExample("An HTTP API", HTTP_EXAMPLE, request_only=True),
    ]
)
class ConnectionFields(Strict):
    """All a connection says; what is left out has its default, but a secret that is left out stays."""

    elsewhere: ClassVar[Mapping[str, str]] = {
        **{name: f"`{name}` in `auth`" for name in _IN_AUTH.split()},
        **{name: f"`{inner}` in `tls`" for name, inner in _IN_TLS.items()},
        **dict.fromkeys(("auth_name", "header_name"), "`name` in `auth`"),
        "auth_type": "`type` in `auth`",
        **dict.fromkeys(_SECRETS.split(), "`secret`"),
        **dict.fromkeys(("url", "endpoint", "host"), "`base_url`"),
        **dict.fromkeys(("honours_idempotency_key", "keeps_cookies", "stream", "schema_mode"), "it in `options`"),
    }

    kind = serializers.ChoiceField(choices=ConnectionKind.choices)
    provider = serializers.CharField(required=False, max_length=64, help_text="`openai`, `anthropic`, or as installed.")
    base_url = serializers.CharField(
        required=False, max_length=2000, help_text="A language model has its provider's own address without one."
    )
    model = serializers.CharField(required=False, max_length=200, help_text="The model where a step names none.")
    headers = serializers.DictField(
        child=serializers.CharField(max_length=2000, allow_blank=True),
        required=False,
        help_text="Sent with every call; never credentials.",
    )
    auth = AuthFields(
        required=False,
        error_messages={"invalid": 'This must be an object, such as {{"type": "bearer"}}.'},
        help_text="By default a language model is sent the secret in its provider's way, and an HTTP API is sent none.",
    )
    secret = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=10_000,
        write_only=True,
        trim_whitespace=False,
        help_text="Key, token, password or client secret. Left out it stays, null clears it; it is never shown.",
    )
    tls = TlsFields(
        required=False, help_text="By default the public authorities are trusted, and no certificate is sent."
    )
    timeout_seconds = FiniteFloat(required=False, allow_null=True, min_value=0.1, max_value=600)
    requests_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=1_000_000, help_text="Calls over it wait."
    )
    max_concurrency = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=10_000, help_text="Calls of one worker at a time."
    )
    allows_tools = serializers.BooleanField(
        required=False, help_text="Whether a model may call it as a tool; false by default."
    )
    options = ObjectField(
        required=False,
        help_text="What the other end is like: `honours_idempotency_key` and `keeps_cookies` of an API; `stream` and "
        "`schema_mode` of a language model.",
    )
    is_active = serializers.BooleanField(required=False, help_text="true by default.")

    def validate_headers(self, value: dict[str, str]) -> dict[str, str]:
        """Bound their number."""
        if len(value) > MAX_HEADERS:
            raise serializers.ValidationError(f"At most {MAX_HEADERS} headers.", "TOO_MANY")
        return value

    def spec(self) -> ConnectionSpec:
        """Say what is wanted."""
        fields = dict(self.validated_data)
        fields.pop("secret", None)
        auth = fields.pop("auth", {})
        tls = {f"tls_{name}": value for name, value in fields.pop("tls", {}).items() if name != "key"}
        renamed = {"type": "auth", "name": "auth_name"}
        return ConnectionSpec(**fields, **tls, **{renamed.get(name, name): value for name, value in auth.items()})

    @property
    def secret_change(self) -> object:
        """Say what becomes of the secret: a text, None, or ``KEEP``."""
        return self.validated_data.get("secret", KEEP)

    @property
    def tls_key_change(self) -> object:
        """Say what becomes of the private key: a text, or ``KEEP``."""
        return self.validated_data.get("tls", {}).get("key", KEEP)


class TlsShape(serializers.Serializer[Any]):
    """TLS settings of a connection, without its private key."""

    ca = serializers.CharField(allow_null=True)
    ca_expires_at = serializers.DateTimeField(allow_null=True, help_text="When the first of them expires.")
    certificate = serializers.CharField(allow_null=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="When the client certificate, or another of its chain, expires."
    )
    has_key = serializers.BooleanField()


class ConnectionShape(serializers.Serializer[Any]):
    """A connection, without its secret."""

    ref = serializers.CharField()
    kind = serializers.ChoiceField(choices=ConnectionKind.choices)
    provider = serializers.CharField(allow_null=True)
    base_url = serializers.CharField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    headers = JsonObject()
    auth = JsonObject(help_text="`type`, and what belongs to it.")
    has_secret = serializers.BooleanField()
    secret_set_at = serializers.DateTimeField(allow_null=True)
    tls = TlsShape()
    timeout_seconds = serializers.FloatField(allow_null=True)
    requests_per_minute = serializers.IntegerField(allow_null=True)
    max_concurrency = serializers.IntegerField(allow_null=True)
    allows_tools = serializers.BooleanField()
    options = JsonObject()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


def connection_body(row: Connection) -> dict[str, Any]:
    """Fill a ``ConnectionShape``."""
    options = {"name": row.auth_name, "username": row.username, "token_url": row.token_url}
    options |= {"client_id": row.client_id, "scope": row.scope}
    options |= {"audience": row.audience, "resource": row.resource, "secret_in": row.secret_in}
    return {
        "ref": row.ref,
        "kind": row.kind,
        "provider": row.provider or None,
        "base_url": row.base_url or None,
        "model": row.model or None,
        "headers": row.headers,
        "auth": {"type": row.auth, **{name: value for name, value in options.items() if value}},
        "has_secret": row.has_secret,
        "secret_set_at": row.secret_set_at,
        "tls": {
            "ca": row.tls_ca or None,
            "ca_expires_at": expires_at(row.tls_ca),
            "certificate": row.tls_certificate or None,
            "expires_at": expires_at(row.tls_certificate),
            "has_key": bool(row.tls_key),
        },
        "timeout_seconds": row.timeout_seconds,
        "requests_per_minute": row.requests_per_minute,
        "max_concurrency": row.max_concurrency,
        "allows_tools": row.allows_tools,
        "options": row.options,
        "is_active": row.is_active,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
