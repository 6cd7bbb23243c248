"""All routes."""

from django.contrib import admin
from django.urls import include, path

from llmteam import metrics

admin.autodiscover()

urlpatterns = [
    path("api/", include("llmteam.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("tenants.sign_in.urls")),
    path("inbox/", include("humantasks.inbox.urls")),
    path("", include("runs.resuming.urls")),
    path("metrics", metrics.show, name="metrics"),
]

handler400 = "llmteam.api.problems.bad_request"
handler403 = "llmteam.api.problems.permission_denied"
handler404 = "llmteam.api.problems.not_found"
handler500 = "llmteam.api.problems.server_error"
