"""Routes of human tasks, below /api/v1/."""

from django.urls import path

from humantasks.api import views

urlpatterns = [
    path("human-tasks", views.TasksView.as_view(), name="human_tasks"),
    path("human-tasks/report", views.TaskReportView.as_view(), name="task_report"),
    path("human-tasks/<str:task_id>", views.TaskView.as_view(), name="human_task"),
    path("human-tasks/<str:task_id>/receipt", views.ReceiptView.as_view(), name="decision_receipt"),
    path("human-tasks/<str:task_id>/claim", views.ClaimTaskView.as_view(), name="claim_task"),
    path("human-tasks/<str:task_id>/release", views.ReleaseTaskView.as_view(), name="release_task"),
    path("human-tasks/<str:task_id>/delegate", views.DelegateTaskView.as_view(), name="delegate_task"),
    path("human-tasks/<str:task_id>/complete", views.CompleteTaskView.as_view(), name="complete_task"),
]
