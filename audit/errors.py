"""Refusals of the audit."""

from kernel.errors import Invalid, NotFound


class LogEmpty(NotFound):
    """Nothing of the tenant has been sealed yet."""

    code = "LOG_EMPTY"
    title = "Nothing is sealed yet"


class LogFileNotFound(NotFound):
    """The log has no file of this path."""

    code = "LOG_FILE_NOT_FOUND"
    title = "The log has no such file"


class NotSealed(NotFound):
    """The log has no entry of this number."""

    code = "NOT_SEALED"
    title = "The log has no entry of this number"


class VerificationNotFound(NotFound):
    """No such verification; those of other tenants count as absent."""

    code = "VERIFICATION_NOT_FOUND"
    title = "There is no such verification"


class PruningRefused(Invalid):
    """Entries of the last day are not pruned."""

    code = "PRUNING_REFUSED"
    title = "Entries of the last day stay: prune before an earlier time"


class ReportPeriodEmpty(Invalid):
    """The period ends before it begins."""

    code = "REPORT_PERIOD_EMPTY"
    title = "A report has a period that begins before it ends"


class ReportTooLarge(Invalid):
    """The period is too long, or has too much in it."""

    code = "REPORT_TOO_LARGE"
    title = "A report has another period than this, or less in it"
