"""All routes."""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView

from llmteam import front_door, metrics

admin.autodiscover()

urlpatterns = [
    path("", front_door.front_door, name="front_door"),
    path("favicon.ico", front_door.icon),
    path("api/", include("llmteam.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("tenants.sign_in.urls")),
    path("inbox/", include("humantasks.inbox.urls")),
    # One file for everybody: what it shows it reads through the API, with a token of whoever looks at it.
    path("canvas/", require_safe(TemplateView.as_view(template_name="pages/canvas.html")), name="canvas"),
    path("", include("runs.resuming.urls")),
    path("metrics", metrics.show, name="metrics"),
]

handler400 = "llmteam.api.problems.bad_request"
handler403 = "llmteam.api.problems.permission_denied"
handler404 = "llmteam.front_door.not_found"
handler500 = "llmteam.api.problems.server_error"
