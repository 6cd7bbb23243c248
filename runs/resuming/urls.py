"""The address of links by which runs are resumed."""

from django.urls import path

from runs.resuming.views import ResumeView

urlpatterns = [path("resume/<str:token>", ResumeView.as_view(), name="resume")]
