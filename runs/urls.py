"""Routes of runs, below /api/v1/."""

from django.urls import path

from runs import views
from runs.events.sse import streams
from runs.events.views import RunEventsView, TenantEventsView, TicketsView
from runs.waiting import waits

urlpatterns = [
    path("segments/<str:segment_id>/runs", waits(views.StartSegmentView.as_view()), name="start_segment"),
    path("runs", waits(views.RunsView.as_view()), name="runs"),
    path("runs/<str:run_id>", waits(views.RunView.as_view()), name="run"),
    path("runs/<str:run_id>/steps", views.RunStepsView.as_view(), name="run_steps"),
    path("runs/<str:run_id>/events", streams(RunEventsView.as_view()), name="run_events"),
    path("events", streams(TenantEventsView.as_view()), name="events"),
    path("ws-tickets", TicketsView.as_view(), name="ws_tickets"),
    path("runs/<str:run_id>/cancel", views.CancelRunView.as_view(), name="cancel_run"),
]
