"""Serializers of stored prompts."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from foundation.requests import PageQuery, Strict
from segments.models import PromptTemplate, PromptVersion
from segments.prompts.rules import MAX_CHARACTERS, PromptTexts

EXAMPLE: Final = {
    "prompt": "Summarise this order in one sentence: {{ input.order }}",
    "system_prompt": "You write for customers of a book shop.",
}


class PromptTextField(serializers.CharField):
    """A template; the rules judge it, with errors of their own."""

    described: Final = {"maxLength": MAX_CHARACTERS}


@extend_schema_serializer(examples=[OpenApiExample("A summary", EXAMPLE, request_only=True)])
class PromptFields(Strict):
    """Fields of a prompt."""

    prompt = PromptTextField(
        trim_whitespace=False, help_text="What to ask; `{{ expression }}` is filled in when a step uses it."
    )
    system_prompt = PromptTextField(
        required=False, allow_blank=True, trim_whitespace=False, help_text="System prompt; also a template."
    )

    def texts(self) -> PromptTexts:
        """Give the texts."""
        return PromptTexts(**self.validated_data)


class PromptListQuery(PageQuery):
    """Filters of the list."""

    archived = serializers.BooleanField(default=False, help_text="List the archived prompts instead.")


class PromptSummaryShape(serializers.Serializer[Any]):
    """A prompt without its texts."""

    template_id = serializers.CharField(help_text="What `prompt_template_id` names.")
    version = serializers.IntegerField(help_text="The current one.")
    content_hash = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class PromptShape(PromptSummaryShape):
    """A prompt with its current texts."""

    prompt = serializers.CharField()
    system_prompt = serializers.CharField(allow_blank=True)


class PromptVersionSummaryShape(serializers.Serializer[Any]):
    """A version without its texts."""

    template_id = serializers.CharField()
    version = serializers.IntegerField()
    content_hash = serializers.CharField()
    current = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class PromptVersionShape(PromptVersionSummaryShape):
    """One immutable version."""

    prompt = serializers.CharField()
    system_prompt = serializers.CharField(allow_blank=True)


def current_of(template: PromptTemplate) -> PromptVersion:
    """Give the version a prompt has; none is shown before it has one."""
    if template.current_version is None:
        raise TypeError("a prompt is saved together with its first version")
    return template.current_version


def prompt_summary(template: PromptTemplate) -> dict[str, Any]:
    """Fill a ``PromptSummaryShape``."""
    version = current_of(template)
    return {
        "template_id": template.template_id,
        "version": version.number,
        "content_hash": version.content_hash,
        "created_at": template.created_at,
        "updated_at": template.updated_at,
        "archived_at": template.archived_at,
    }


def prompt_body(template: PromptTemplate) -> dict[str, Any]:
    """Fill a ``PromptShape``."""
    return {**prompt_summary(template), **_texts(current_of(template))}


def version_summary(version: PromptVersion) -> dict[str, Any]:
    """Fill a ``PromptVersionSummaryShape``."""
    template = version.template
    return {
        "template_id": template.template_id,
        "version": version.number,
        "content_hash": version.content_hash,
        "current": template.current_version_id == version.id,
        "created_at": version.created_at,
    }


def version_body(version: PromptVersion) -> dict[str, Any]:
    """Fill a ``PromptVersionShape``."""
    return {**version_summary(version), **_texts(version)}


def _texts(version: PromptVersion) -> dict[str, str]:
    return {"prompt": version.prompt, "system_prompt": version.system_prompt}
