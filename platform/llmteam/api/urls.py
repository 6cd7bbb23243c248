"""Routes below /api/."""

from django.urls import include, path, re_path

from llmteam.api.views import DocsView, NoSuchRouteView, show_description

v1 = [
    path("", include("tenants.api.urls")),
    path("", include("segments.api.urls")),
    path("", include("runs.api.urls")),
    path("", include("humantasks.api.urls")),
    path("", include("audit.api.urls")),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("schema/", show_description, name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path(r"^[\s\S]*$", NoSuchRouteView.as_view(), name="no_such_route"),
]
