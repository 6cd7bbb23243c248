"""Accounts at identity providers, and the providers of tenants, as rows."""

from typing import Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from foundation.fields import JsonTextField
from foundation.managers import TenantManager
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.sealing import SealedField

DEFAULT_SCOPES: Final = "openid email profile"


class Identity(models.Model):
    """An account at a provider, and whose it is. An e-mail never identifies anybody: it can change hands."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=utc_now, editable=False)
    last_used_at = models.DateTimeField(default=utc_now, editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class IdentityProvider(models.Model):
    """A tenant's own provider of accounts. It signs people into this tenant and no other."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.OneToOneField("tenants.Tenant", on_delete=models.CASCADE, related_name="+")
    issuer = models.CharField(
        max_length=500, help_text="As the provider writes it in its tokens: https://login.example.com/tenant."
    )
    client_id = models.CharField(max_length=300)
    client_secret = SealedField(help_text="Sealed.")
    scopes = models.CharField(max_length=300, default=DEFAULT_SCOPES, help_text="Asked for, separated by spaces.")
    emails_verified = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its e-mails count as verified where it sends no email_verified, or sends it as a text, as Entra ID "
        "does. Only for a provider whose people cannot choose their e-mail themselves.",
    )
    groups_claim = models.CharField(
        max_length=100,
        blank=True,
        default="groups",
        help_text="The claim that lists a person's groups; a path has dots: realm_access.roles.",
    )
    roles_claim = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="The claim that lists what the role map reads: resource_access.llmteam.roles. Empty: the one of "
        "groups.",
    )
    group_map = JsonTextField(
        default=dict, blank=True, help_text='Reviewer group by value of the claim: {"finance-eu": "finance"}.'
    )
    role_map = JsonTextField(default=dict, blank=True, help_text='Role by value of the claim: {"admins": "admin"}.')
    allowed_domains = ArrayField(
        models.CharField(max_length=253),
        default=list,
        blank=True,
        help_text="People with a verified e-mail of one of these domains join as reviewers, without an invitation.",
    )
    is_active = models.BooleanField(default=True, help_text="Nobody signs in through an inactive one.")
    created_at = models.DateTimeField(default=utc_now, editable=False)

    objects = TenantManager()

    def __str__(self) -> str:
        return self.issuer
