"""Routes of runs, below /api/v1/."""

from django.urls import path

from runs.api import command_views, delivery_views, views, webhook_views
from runs.api.audit_export_view import AuditExportView
from runs.api.connection_views import ConnectionTestView
from runs.api.event_views import RunEventsView, RunStreamView, TenantEventsView, TenantStreamView, TicketsView
from runs.api.export_views import ExportArchiveView, ExportsView, ExportView
from runs.api.sse import streams
from runs.api.streaming import streamed
from runs.api.trial_views import CatalogTestView
from runs.api.waiting import waits
from runs.circuits.views import CircuitsView, ResetCircuitView
from runs.limits.views import LimitsView
from runs.usage.views import UsageView

urlpatterns = [
    path("catalog/<str:type_id>/test", waits(CatalogTestView.as_view()), name="catalog_test"),
    path("connections/<str:ref>/test", ConnectionTestView.as_view(), name="connection_test"),
    path("circuits", CircuitsView.as_view(), name="circuits"),
    path("circuits/<str:circuit_id>/reset", ResetCircuitView.as_view(), name="reset_circuit"),
    path("segments/<str:segment_id>/runs", waits(views.StartSegmentView.as_view()), name="start_segment"),
    path("runs", waits(views.RunsView.as_view()), name="runs"),
    path("runs/<str:run_id>", waits(views.RunView.as_view()), name="run"),
    path("runs/<str:run_id>/steps", views.RunStepsView.as_view(), name="run_steps"),
    path("runs/<str:run_id>/events", streams(RunEventsView.as_view()), name="run_events"),
    path("runs/<str:run_id>/events/stream", streams(RunStreamView.as_view()), name="run_stream"),
    path("events", streams(TenantEventsView.as_view()), name="events"),
    path("events/stream", streams(TenantStreamView.as_view()), name="stream"),
    path("tenant/usage", UsageView.as_view(), name="usage"),
    path("tenant/limits", LimitsView.as_view(), name="limits"),
    path("tenant/export", ExportsView.as_view(), name="exports"),
    path("tenant/export/<str:export_id>", ExportView.as_view(), name="export"),
    path("tenant/export/<str:export_id>/archive", streamed(ExportArchiveView.as_view()), name="export_archive"),
    path("audit/export", streamed(AuditExportView.as_view()), name="export_audit"),
    path("ws-tickets", TicketsView.as_view(), name="ws_tickets"),
    path("runs/<str:run_id>/pause", command_views.PauseRunView.as_view(), name="pause_run"),
    path("runs/<str:run_id>/resume", command_views.ResumeRunView.as_view(), name="resume_run"),
    path("runs/<str:run_id>/cancel", command_views.CancelRunView.as_view(), name="cancel_run"),
    path("runs/<str:run_id>/replay", waits(command_views.ReplayRunView.as_view()), name="replay_run"),
    path("runs/<str:run_id>/deliveries", delivery_views.RunDeliveriesView.as_view(), name="run_deliveries"),
    path(
        "runs/<str:run_id>/deliveries/<str:delivery_id>/redeliver",
        delivery_views.RedeliverView.as_view(),
        name="redeliver",
    ),
    path("deliveries", delivery_views.DeliveriesView.as_view(), name="deliveries"),
    path("callback-secret", delivery_views.CallbackSecretView.as_view(), name="callback_secret"),
    path("tenant/notifications", delivery_views.NotificationsView.as_view(), name="notifications"),
    path("webhook-endpoints", webhook_views.WebhookEndpointsView.as_view(), name="webhook_endpoints"),
    path("webhook-endpoints/<str:endpoint_id>", webhook_views.WebhookEndpointView.as_view(), name="webhook_endpoint"),
    path(
        "webhook-endpoints/<str:endpoint_id>/rotate-secret",
        webhook_views.RotateWebhookSecretView.as_view(),
        name="rotate_webhook_secret",
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/test",
        webhook_views.TestWebhookEndpointView.as_view(),
        name="test_webhook_endpoint",
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/redeliver",
        webhook_views.RedeliverEventsView.as_view(),
        name="redeliver_webhook_events",
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/deliveries",
        webhook_views.WebhookDeliveriesView.as_view(),
        name="webhook_deliveries",
    ),
    path(
        "webhook-endpoints/<str:endpoint_id>/events", webhook_views.WebhookEventsView.as_view(), name="webhook_events"
    ),
    path("runs/<str:run_id>/snapshot", streamed(command_views.RunSnapshotView.as_view()), name="run_snapshot"),
    path("runs/<str:run_id>/values/<str:seq>", streamed(views.RunValueView.as_view()), name="run_value"),
]
