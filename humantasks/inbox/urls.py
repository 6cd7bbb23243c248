"""Addresses of the inbox."""

from django.urls import path

from humantasks.inbox import absence, bulk, views

app_name = "inbox"
urlpatterns = [
    path("", views.task_list, name="list"),
    path("absence/", absence.absence, name="absence"),
    path("together/", bulk.bulk, name="bulk"),
    path("tasks/<uuid:task_id>/", views.task, name="task"),
    path("tasks/<uuid:task_id>/receipt/", views.receipt, name="receipt"),
    path("tasks/<uuid:task_id>/claim/", views.claim, name="claim"),
    path("tasks/<uuid:task_id>/release/", views.release, name="release"),
    path("tasks/<uuid:task_id>/delegate/", views.delegate, name="delegate"),
    path("tasks/<uuid:task_id>/comment/", views.comment, name="comment"),
    path("tasks/<uuid:task_id>/decide/", views.decide_one, name="decide"),
    path("runs/<uuid:run_id>/", views.run, name="run"),
]
