"""Addresses of WebSockets."""

from channels.routing import URLRouter
from django.urls import path, re_path

from runs.events.consumers import RunConsumer, TenantConsumer, UnknownAddressConsumer

websockets = URLRouter(
    [
        path("ws/v1/runs/<str:run_id>/", RunConsumer.as_asgi()),
        path("ws/v1/events/", TenantConsumer.as_asgi()),
        re_path(r"^[\s\S]*$", UnknownAddressConsumer.as_asgi()),
    ]
)
