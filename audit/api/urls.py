"""Routes about the audit, below /api/v1/."""

from django.urls import path

from audit.api import views
from audit.api.report_view import AuditReportView

urlpatterns = [
    path("audit/entries", views.EntriesView.as_view(), name="audit_entries"),
    path("audit/entries/<str:n>/proof", views.ProofView.as_view(), name="audit_proof"),
    path("audit/erase", views.ErasePersonView.as_view(), name="erase_person"),
    path("audit/key", views.LogKeysView.as_view(), name="audit_key"),
    path("audit/log/<path:path>", views.LogFileView.as_view(), name="audit_log_file"),
    path("audit/report", AuditReportView.as_view(), name="report_audit"),
    path("audit/verify", views.VerifyView.as_view(), name="verify_audit"),
    path("audit/verify/<str:verification_id>", views.VerificationView.as_view(), name="audit_verification"),
]
