"""Rows of the app: segments with their revisions, stored prompts with their versions."""

from segments.models.prompts import PromptTemplate, PromptVersion
from segments.models.segments import Revision, Segment

__all__ = [
    "PromptTemplate",
    "PromptVersion",
    "Revision",
    "Segment",
]
