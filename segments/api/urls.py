"""Routes of the catalog, of segments and of stored prompts, below /api/v1/."""

from django.urls import path

from segments.api import views
from segments.prompts import views as prompts

urlpatterns = [
    path("catalog", views.CatalogView.as_view(), name="catalog"),
    path("catalog/<str:type_id>", views.CardView.as_view(), name="step_type"),
    path("schemas/segment", views.SegmentSchemaView.as_view(), name="segment_schema"),
    path("segments", views.SegmentsView.as_view(), name="segments"),
    path("segments/validate", views.ValidateView.as_view(), name="validate_segment"),
    path("segments/<str:segment_id>", views.SegmentView.as_view(), name="segment"),
    path("segments/<str:segment_id>/revisions", views.RevisionsView.as_view(), name="revisions"),
    path("segments/<str:segment_id>/revisions/<str:number>", views.RevisionView.as_view(), name="revision"),
    path("prompts", prompts.PromptsView.as_view(), name="prompts"),
    path("prompts/<str:template_id>", prompts.PromptView.as_view(), name="prompt"),
    path("prompts/<str:template_id>/versions", prompts.PromptVersionsView.as_view(), name="prompt_versions"),
    path("prompts/<str:template_id>/versions/<str:number>", prompts.PromptVersionView.as_view(), name="prompt_version"),
]
