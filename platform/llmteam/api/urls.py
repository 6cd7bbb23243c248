"""Routes below /api/."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerView

from llmteam.api.views import NoSuchRouteView, show_description

v1 = [
    path("", include("tenants.urls")),
    path("", include("segments.urls")),
    path("", include("runs.urls")),
    path("", include("humantasks.urls")),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("schema/", show_description, name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    re_path(r"^[\s\S]*$", NoSuchRouteView.as_view(), name="no_such_route"),
]
