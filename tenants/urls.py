"""Routes about who calls, below /api/v1/."""

from django.urls import path

from tenants import views

urlpatterns = [path("me", views.MeView.as_view(), name="me")]
