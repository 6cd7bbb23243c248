"""Retention of all that the installation keeps: the rules of every app, and of Django's own tables."""

from typing import Final

from audit.pruning import prune_by_age
from humantasks.retention import RULES as HUMAN_TASKS
from runs.lifecycle.retention import RULES as RUNS
from tenants.lifecycle.protocols import RetentionRule
from tenants.lifecycle.retention import days_ago, rows_before
from tenants.lifecycle.rules import RULES as TENANTS

RULES: Final = (
    *RUNS,
    *HUMAN_TASKS,
    *TENANTS,
    RetentionRule(
        "audit",
        (
            "audit.Entry",
            "audit.SealedEntry",
            "audit.TreeNode",
            "audit.LogCheckpoint",
            "audit.LogVerifier",
            "audit.AuditLog",
            "audit.LogPruning",
        ),
        "`AUDIT_RETENTION_DAYS`, or as many days as the tenant has, in bundles of 256 and also behind a deleted "
        "tenant; the hashes above them stay. For ever unless it is set. An operator prunes by hand as well.",
        sweep=prune_by_age,
    ),
    RetentionRule(
        "verifications",
        ("audit.LogVerification",),
        "The last ten of a log.",
    ),
    RetentionRule(
        "personal_values",
        ("audit.PersonalValue",),
        "As long as their entry, or until the person is erased.",
        since="",
    ),
    RetentionRule("unsealed_entries", ("audit.UnsealedEntry",), "About a second, until they are sealed.", since=""),
    RetentionRule(
        "console_log",
        ("admin.LogEntry",),
        "`CONSOLE_LOG_RETENTION_DAYS`; the audit has the same actions.",
        since="action_time",
        sweep=rows_before("admin.LogEntry", "action_time", days_ago("CONSOLE_LOG_RETENTION_DAYS")),
    ),
    RetentionRule(
        "rights",
        ("auth.Permission", "auth.Group", "contenttypes.ContentType"),
        "For ever: made by migrations, groups by hand.",
        since="",
    ),
)
"""Every model of the installation stands in one of them (a test)."""
