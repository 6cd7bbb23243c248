"""Connections as rows."""

from django.db import models
from django.db.models import Q

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.models.tenants import Tenant
from tenants.sealing import SealedField


class ConnectionKind(models.TextChoices):
    """Kinds of connections."""

    LLM = "llm", "Language model"
    HTTP = "http", "HTTP API"


class ConnectionAuth(models.TextChoices):
    """Ways of a connection to authenticate."""

    PROVIDER = "provider", "In the provider's own way"
    NONE = "none", "Not at all"
    BEARER = "bearer", "Authorization: Bearer"
    BASIC = "basic", "Authorization: Basic"
    HEADER = "header", "In a header"
    QUERY = "query", "In the query"
    DIGEST = "digest", "Digest"
    OAUTH2 = "oauth2", "OAuth 2 client credentials"


class SecretPlace(models.TextChoices):
    """Places of the client's secret in a token request."""

    HEADER = "header", "In the header"
    BODY = "body", "In the body"


class Connection(models.Model):
    """One place a tenant's steps may call; ``ref`` is what ``llm_ref`` and ``client_ref`` name."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    ref = models.CharField(max_length=64, help_text="Name that segments use: lower case letters, digits, _ and -.")
    kind = models.CharField(max_length=8, choices=ConnectionKind)
    provider = models.CharField(
        max_length=64, blank=True, help_text="Of a language model: openai, anthropic, or as installed."
    )
    base_url = models.CharField(
        max_length=2000, blank=True, help_text="Empty for a language model: the provider's own address."
    )
    model = models.CharField(max_length=200, blank=True, help_text="The model where a step names none.")
    headers = JsonTextField(default=dict, blank=True, help_text="Sent with every call; never a credential.")
    auth = models.CharField(max_length=16, choices=ConnectionAuth, default=ConnectionAuth.NONE)
    auth_name = models.CharField(max_length=100, blank=True, help_text="The header or the query parameter.")
    username = models.CharField(max_length=200, blank=True, help_text="For Basic.")
    token_url = models.CharField(max_length=2000, blank=True, help_text="For OAuth 2.")
    client_id = models.CharField(max_length=200, blank=True, help_text="For OAuth 2.")
    scope = models.CharField(max_length=500, blank=True, help_text="For OAuth 2.")
    audience = models.CharField(max_length=500, blank=True, help_text="For OAuth 2, where the server wants one.")
    resource = models.CharField(max_length=2000, blank=True, help_text="For OAuth 2, where the server wants one.")
    secret_in = models.CharField(
        max_length=8,
        choices=SecretPlace,
        blank=True,
        help_text="For OAuth 2: where the secret goes; the header.",
    )
    secret = SealedField(help_text="The key, token, password or client secret; sealed.")
    secret_set_at = models.DateTimeField(null=True, editable=False)
    tls_ca = models.TextField(
        blank=True,
        verbose_name="CA certificates",
        help_text="PEM. Trusted for this connection instead of all others. Empty: those of the installation.",
    )
    tls_certificate = models.TextField(
        blank=True,
        verbose_name="client certificate",
        help_text="PEM. Sent when the host asks for one; the client's own first, then those that lead to its CA.",
    )
    tls_key = SealedField(help_text="The private key of the client certificate; sealed.")
    timeout_seconds = models.FloatField(null=True, blank=True, help_text="For one call. Empty: the step's own.")
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Further calls wait. Empty: no limit."
    )
    max_concurrency = models.PositiveIntegerField(
        null=True, blank=True, help_text="Calls of one worker at the same time. Empty: no limit."
    )
    allows_tools = models.BooleanField(default=False, help_text="A model may call it as a tool.")
    options = JsonTextField(
        default=dict, blank=True, help_text="Properties of the other end: see docs/howto/connections.md."
    )
    is_active = models.BooleanField(default=True, help_text="Steps that use an inactive one fail.")
    created_at = models.DateTimeField(default=utc_now, editable=False)
    updated_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "ref"], name="connection_ref_once"),
            models.CheckConstraint(condition=Q(kind__in=ConnectionKind.values), name="connection_kind_known"),
            models.CheckConstraint(condition=Q(auth__in=ConnectionAuth.values), name="connection_auth_known"),
            models.CheckConstraint(
                condition=Q(secret_in__in=["", *SecretPlace.values]), name="connection_secret_place_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-created_at", "-id"], name="connection_by_tenant")]

    def __str__(self) -> str:
        return self.ref

    @property
    def audit_id(self) -> str:
        """The id it has in the audit."""
        return self.ref

    @property
    def has_secret(self) -> bool:
        """Whether a secret is kept."""
        return bool(self.secret)
