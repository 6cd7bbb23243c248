from decimal import Decimal

import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import foundation.fields
import kernel.clock
import kernel.ids
import tenants.origins
import tenants.sealing


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("slug", models.SlugField(help_text="Short name in URLs and logs.", max_length=64, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True, help_text="Keys of an inactive tenant are refused.")),
                (
                    "weight",
                    models.DecimalField(
                        db_default=1,
                        decimal_places=3,
                        default=1,
                        help_text="Its share of the workers when runs have to wait: a tenant with 2 executes twice as many as one with 1. Takes effect at once.",
                        max_digits=9,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.001")),
                            django.core.validators.MaxValueValidator(Decimal(1000)),
                        ],
                    ),
                ),
                (
                    "allowed_origins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300, validators=[tenants.origins.check_origin]),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Origins of pages that may call the API from a browser, as https://editor.example.com.",
                        size=None,
                    ),
                ),
                (
                    "egress_allow_hosts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Internal hosts that this tenant may call, as host, host:port or host:*, in addition to the installation's.",
                        size=None,
                    ),
                ),
                (
                    "allowed_step_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Step types this tenant may use regardless of its tier.",
                        size=None,
                    ),
                ),
                (
                    "blocked_step_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Step types this tenant may not use, regardless of its tier.",
                        size=None,
                    ),
                ),
                (
                    "default_reviewer_groups",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        blank=True,
                        db_default=[],
                        default=list,
                        help_text="Groups that are asked when a human task names somebody unknown. Empty: all admins and reviewers.",
                        size=None,
                    ),
                ),
                (
                    "run_token_budget",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="Tokens one run may take of language models. Empty: no limit. A step that would take more fails with BUDGET_EXCEEDED.",
                        null=True,
                    ),
                ),
                (
                    "run_cost_budget",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="US dollars one run may cost. Empty: no limit. With a limit, models without a price are refused.",
                        max_digits=18,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "daily_token_budget",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="Tokens all runs together may take in a day (UTC). Empty: no limit.",
                        null=True,
                    ),
                ),
                (
                    "daily_cost_budget",
                    models.DecimalField(
                        blank=True,
                        decimal_places=6,
                        help_text="US dollars all runs together may cost in a day (UTC). Empty: no limit. With a limit, models without a price are refused.",
                        max_digits=18,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "retention_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Days that runs with their journals and tasks are kept after their end. Empty: the installation's RUN_RETENTION_DAYS.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "audit_retention_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Days that entries of the audit are kept; older ones are pruned in bundles of 256. Empty: the installation's AUDIT_RETENTION_DAYS.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                ("suspended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "suspended_runs",
                    models.CharField(
                        blank=True,
                        choices=[("finish", "Let them finish"), ("pause", "Pause them")],
                        db_default="",
                        default="",
                        editable=False,
                        max_length=8,
                    ),
                ),
                (
                    "suspension_reason",
                    models.CharField(blank=True, db_default="", default="", editable=False, max_length=500),
                ),
                ("deletion_requested_at", models.DateTimeField(editable=False, null=True)),
                (
                    "deletion_due_at",
                    models.DateTimeField(editable=False, help_text="When its removal begins.", null=True),
                ),
                (
                    "removal_stage",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("cancelling", "Its runs are being cancelled"),
                            ("closing", "It is closed; its runs are being released"),
                            ("removing", "Its rows are being removed"),
                        ],
                        db_default="",
                        default="",
                        editable=False,
                        max_length=16,
                    ),
                ),
                (
                    "removal_stage_at",
                    models.DateTimeField(editable=False, help_text="When this stage began.", null=True),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "ordering": ["slug"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="tenant_weight_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("suspended_at__isnull", True), ("suspended_runs", "")),
                            models.Q(("suspended_at__isnull", False), ("suspended_runs__in", ["finish", "pause"])),
                            _connector="OR",
                        ),
                        name="tenant_suspended_one_way",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("run_cost_budget__isnull", True), ("run_cost_budget__gte", 0), _connector="OR"
                        ),
                        name="run_cost_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("daily_cost_budget__isnull", True), ("daily_cost_budget__gte", 0), _connector="OR"
                        ),
                        name="daily_cost_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                ("name", models.CharField(help_text="The program that uses this key.", max_length=100)),
                ("public_id", models.CharField(editable=False, max_length=32, unique=True)),
                ("secret_hash", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32), default=list, size=None
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                (
                    "created_by",
                    models.CharField(db_default="", default="", editable=False, help_text="The actor.", max_length=200),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("secret_number", models.PositiveIntegerField(db_default=1, default=1, editable=False)),
                (
                    "rotated_at",
                    models.DateTimeField(editable=False, help_text="When the current secret was made.", null=True),
                ),
                ("old_secret_hash", models.BinaryField(max_length=32, null=True)),
                (
                    "old_secret_ends_at",
                    models.DateTimeField(editable=False, help_text="Until then the previous secret works.", null=True),
                ),
                ("last_used_at", models.DateTimeField(editable=False, help_text="To a minute.", null=True)),
                (
                    "reminded_days",
                    models.PositiveSmallIntegerField(
                        editable=False, help_text="The last reminder of its end, in days before it.", null=True
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "created_at"], name="apikey_by_tenant"),
                    models.Index(
                        condition=models.Q(("expires_at__isnull", False), ("revoked_at__isnull", True)),
                        fields=["expires_at"],
                        name="apikey_by_end",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "ref",
                    models.CharField(
                        help_text="Name that segments use: lower case letters, digits, _ and -.", max_length=64
                    ),
                ),
                ("kind", models.CharField(choices=[("llm", "Language model"), ("http", "HTTP API")], max_length=8)),
                (
                    "provider",
                    models.CharField(
                        blank=True, help_text="Of a language model: openai, anthropic, or as installed.", max_length=64
                    ),
                ),
                (
                    "base_url",
                    models.CharField(
                        blank=True, help_text="Empty for a language model: the provider's own address.", max_length=2000
                    ),
                ),
                ("model", models.CharField(blank=True, help_text="The model where a step names none.", max_length=200)),
                (
                    "headers",
                    foundation.fields.JsonTextField(
                        blank=True, default=dict, help_text="Sent with every call; never a credential."
                    ),
                ),
                (
                    "auth",
                    models.CharField(
                        choices=[
                            ("provider", "In the provider's own way"),
                            ("none", "Not at all"),
                            ("bearer", "Authorization: Bearer"),
                            ("basic", "Authorization: Basic"),
                            ("header", "In a header"),
                            ("query", "In the query"),
                            ("digest", "Digest"),
                            ("oauth2", "OAuth 2 client credentials"),
                        ],
                        default="none",
                        max_length=16,
                    ),
                ),
                (
                    "auth_name",
                    models.CharField(blank=True, help_text="The header or the query parameter.", max_length=100),
                ),
                ("username", models.CharField(blank=True, help_text="For Basic.", max_length=200)),
                ("token_url", models.CharField(blank=True, help_text="For OAuth 2.", max_length=2000)),
                ("client_id", models.CharField(blank=True, help_text="For OAuth 2.", max_length=200)),
                ("scope", models.CharField(blank=True, help_text="For OAuth 2.", max_length=500)),
                (
                    "audience",
                    models.CharField(blank=True, help_text="For OAuth 2, where the server wants one.", max_length=500),
                ),
                (
                    "resource",
                    models.CharField(blank=True, help_text="For OAuth 2, where the server wants one.", max_length=2000),
                ),
                (
                    "secret_in",
                    models.CharField(
                        blank=True,
                        choices=[("header", "In the header"), ("body", "In the body")],
                        help_text="For OAuth 2: where the secret goes; the header.",
                        max_length=8,
                    ),
                ),
                (
                    "secret",
                    tenants.sealing.SealedField(
                        blank=True,
                        default="",
                        editable=False,
                        help_text="The key, token, password or client secret; sealed.",
                    ),
                ),
                ("secret_set_at", models.DateTimeField(editable=False, null=True)),
                (
                    "tls_ca",
                    models.TextField(
                        blank=True,
                        help_text="PEM. Trusted for this connection instead of all others. Empty: those of the installation.",
                        verbose_name="CA certificates",
                    ),
                ),
                (
                    "tls_certificate",
                    models.TextField(
                        blank=True,
                        help_text="PEM. Sent when the host asks for one; the client's own first, then those that lead to its CA.",
                        verbose_name="client certificate",
                    ),
                ),
                (
                    "tls_key",
                    tenants.sealing.SealedField(
                        blank=True,
                        default="",
                        editable=False,
                        help_text="The private key of the client certificate; sealed.",
                    ),
                ),
                (
                    "timeout_seconds",
                    models.FloatField(blank=True, help_text="For one call. Empty: the step's own.", null=True),
                ),
                (
                    "requests_per_minute",
                    models.PositiveIntegerField(
                        blank=True, help_text="Further calls wait. Empty: no limit.", null=True
                    ),
                ),
                (
                    "max_concurrency",
                    models.PositiveIntegerField(
                        blank=True, help_text="Calls of one worker at the same time. Empty: no limit.", null=True
                    ),
                ),
                ("allows_tools", models.BooleanField(default=False, help_text="A model may call it as a tool.")),
                (
                    "options",
                    foundation.fields.JsonTextField(
                        blank=True,
                        default=dict,
                        help_text="Properties of the other end: see docs/howto/connections.md.",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="Steps that use an inactive one fail.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "-created_at", "-id"], name="connection_by_tenant")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "ref"), name="connection_ref_once"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["llm", "http"])), name="connection_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("auth__in", ["provider", "none", "bearer", "basic", "header", "query", "digest", "oauth2"])
                        ),
                        name="connection_auth_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("secret_in__in", ["", "header", "body"])),
                        name="connection_secret_place_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityProvider",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "issuer",
                    models.CharField(
                        help_text="As the provider writes it in its tokens: https://login.example.com/tenant.",
                        max_length=500,
                    ),
                ),
                ("client_id", models.CharField(max_length=300)),
                (
                    "client_secret",
                    tenants.sealing.SealedField(blank=True, default="", editable=False, help_text="Sealed."),
                ),
                (
                    "scopes",
                    models.CharField(
                        default="openid email profile", help_text="Asked for, separated by spaces.", max_length=300
                    ),
                ),
                (
                    "emails_verified",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Its e-mails count as verified where it sends no email_verified, or sends it as a text, as Entra ID does. Only for a provider whose people cannot choose their e-mail themselves.",
                    ),
                ),
                (
                    "groups_claim",
                    models.CharField(
                        blank=True,
                        default="groups",
                        help_text="The claim that lists a person's groups; a path has dots: realm_access.roles.",
                        max_length=100,
                    ),
                ),
                (
                    "roles_claim",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="The claim that lists what the role map reads: resource_access.llmteam.roles. Empty: the one of groups.",
                        max_length=100,
                    ),
                ),
                (
                    "group_map",
                    foundation.fields.JsonTextField(
                        blank=True,
                        default=dict,
                        help_text='Reviewer group by value of the claim: {"finance-eu": "finance"}.',
                    ),
                ),
                (
                    "role_map",
                    foundation.fields.JsonTextField(
                        blank=True, default=dict, help_text='Role by value of the claim: {"admins": "admin"}.'
                    ),
                ),
                (
                    "allowed_domains",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=253),
                        blank=True,
                        default=list,
                        help_text="People with a verified e-mail of one of these domains join as reviewers, without an invitation.",
                        size=None,
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="Nobody signs in through an inactive one.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="InstalledLicence",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("licence_id", models.CharField(editable=False, max_length=40)),
                ("note", models.TextField(help_text="The whole text with its signature, as the vendor sent it.")),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "verbose_name": "licence",
                "constraints": [models.UniqueConstraint(fields=("tenant", "licence_id"), name="licence_once")],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("email", models.EmailField(help_text="In lower case.", max_length=254)),
                ("role", models.CharField(max_length=16)),
                (
                    "groups",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), blank=True, default=list, size=None
                    ),
                ),
                ("invited_by", models.CharField(help_text="The actor.", max_length=100)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(editable=False, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("mailed_at", models.DateTimeField(editable=False, null=True)),
                ("mail_error", models.CharField(blank=True, editable=False, max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-created_at", "-id"], name="invitation_by_tenant"),
                    models.Index(
                        condition=models.Q(
                            ("accepted_at__isnull", True),
                            ("mail_error", ""),
                            ("mailed_at__isnull", True),
                            ("revoked_at__isnull", True),
                        ),
                        fields=["tenant", "created_at"],
                        name="invitation_to_mail",
                    ),
                    models.Index(
                        condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)),
                        fields=["email"],
                        name="invitation_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)),
                        fields=("tenant", "email"),
                        name="invitation_open_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KeyRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("request_hash", models.CharField(max_length=64)),
                (
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.apikey"
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="key_request_once")],
            },
        ),
        migrations.CreateModel(
            name="LicenceNotice",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("licence_id", models.CharField(max_length=40)),
                ("step", models.CharField(help_text="`30_days` to `1_day`, `ended`, `over`.", max_length=16)),
                ("tier", models.CharField(max_length=32)),
                ("last_day", models.DateField()),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("mailed_at", models.DateTimeField(null=True)),
                ("mail_error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("mail_error", ""), ("mailed_at__isnull", True)),
                        fields=["tenant", "created_at"],
                        name="licence_notice_to_mail",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "licence_id", "step"), name="licence_notice_once"),
                    models.CheckConstraint(
                        condition=models.Q(("step__in", ["30_days", "7_days", "3_days", "1_day", "ended", "over"])),
                        name="licence_notice_step_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LimitOverride",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "limit",
                    models.CharField(
                        choices=[
                            ("concurrent_runs", "concurrent_runs"),
                            ("runs_per_day", "runs_per_day"),
                            ("steps_per_segment", "steps_per_segment"),
                            ("requests_per_minute", "requests_per_minute"),
                            ("storage_bytes", "storage_bytes"),
                            ("open_streams", "open_streams"),
                            ("waiting_requests", "waiting_requests"),
                        ],
                        max_length=64,
                    ),
                ),
                ("value", models.PositiveBigIntegerField(blank=True, help_text="Empty: unlimited.", null=True)),
                ("updated_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "limit"), name="limit_override_once")],
            },
        ),
        migrations.CreateModel(
            name="RetentionFigure",
            fields=[
                ("kind", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("rows", models.PositiveBigIntegerField(default=0)),
                (
                    "is_estimate",
                    models.BooleanField(default=False, help_text="Rows are Postgres' own estimate: they are many."),
                ),
                ("oldest_at", models.DateTimeField(null=True)),
                ("removed", models.PositiveBigIntegerField(default=0, help_text="By all sweeps together.")),
                ("swept_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["kind"],
            },
        ),
        migrations.CreateModel(
            name="TenantExport",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                ("requested_by", models.CharField(help_text="The actor.", max_length=100)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                ("beat_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(help_text="When its archive is removed.", null=True)),
                ("rows_written", models.PositiveBigIntegerField(default=0)),
                ("rows_total", models.PositiveBigIntegerField(null=True)),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("sha256", models.CharField(blank=True, max_length=64)),
                ("error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [models.Index(fields=["tenant", "-created_at", "-id"], name="export_by_tenant")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["queued", "running", "ready", "failed"])),
                        name="export_status_known",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=("tenant",),
                        name="export_one_at_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ExportPart",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "export",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="tenants.tenantexport",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("data", models.BinaryField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("export", "number"), name="export_part_once")],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="identities",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("issuer", models.CharField(max_length=500)),
                ("subject", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("last_used_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "verbose_name_plural": "identities",
                "constraints": [models.UniqueConstraint(fields=("issuer", "subject"), name="identity_once")],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("admin", "Tenant admin"), ("reviewer", "Reviewer"), ("auditor", "Auditor")],
                        default="reviewer",
                        max_length=16,
                    ),
                ),
                (
                    "groups",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), blank=True, default=list, size=None
                    ),
                ),
                ("away_from", models.DateTimeField(blank=True, help_text="Out of office from then on.", null=True)),
                ("away_until", models.DateTimeField(blank=True, null=True)),
                (
                    "stands_in",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who answers in their place.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="tenants.membership",
                    ),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
                ("deactivated_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "user"), name="membership_once"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["admin", "reviewer", "auditor"])), name="membership_role_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("away_until__isnull", True), ("away_until__gt", models.F("away_from")), _connector="OR"
                        ),
                        name="membership_away_forwards",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AdminMail",
            fields=[
                ("id", models.UUIDField(default=kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.membership"
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now)),
                (
                    "next_at",
                    models.DateTimeField(
                        default=kernel.clock.utc_now, help_text="When it is sent; empty once that is over.", null=True
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)),
                        fields=["tenant", "next_at"],
                        name="admin_mail_of_tenant_due",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CallbackSecret",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("secret", tenants.sealing.SealedField(blank=True, default="", editable=False)),
                (
                    "secret_before",
                    tenants.sealing.SealedField(
                        blank=True, default="", editable=False, help_text="The previous secret."
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=kernel.clock.utc_now, editable=False, help_text="When the current secret was made."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TenantTrial",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                (
                    "terms",
                    tenants.sealing.SealedField(blank=True, default="", editable=False, help_text="A licence's text."),
                ),
                ("created_at", models.DateTimeField(default=kernel.clock.utc_now, editable=False)),
            ],
            options={
                "verbose_name": "trial",
            },
        ),
    ]
