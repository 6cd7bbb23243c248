"""Routes about who calls and what their tenant has, below /api/v1/."""

from django.urls import path

from tenants import views
from tenants.connections.views import ConnectionsView, ConnectionView

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("tokens", views.TokensView.as_view(), name="tokens"),
    path("connections", ConnectionsView.as_view(), name="connections"),
    path("connections/<str:ref>", ConnectionView.as_view(), name="connection"),
]
