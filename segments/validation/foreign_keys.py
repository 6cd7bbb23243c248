"""Keys of configs as people and other canvases name them, with those that are read here."""

from collections.abc import Container, Mapping
from typing import Final

_OURS: Final = {
    "human_task": {
        "assignee_ref": "email assignee assignee_email assigned_to assign_to recipient reviewer approver user to",
        "candidate_groups": "group groups team roles",
        "description": "message instructions body question text",
        "title": "subject",
        "choices": "options buttons",
        "form": "fields schema form_schema json_schema",
        "timeout_hours": "due due_in deadline timeout expires_in",
    },
    "http_action": {
        "url": "uri endpoint address",
        "body": "data json payload",
        "query": "params query_params query_parameters querystring qs",
        "client_ref": "connection connection_ref credential credentials auth authentication",
        "timeout_seconds": "timeout",
    },
    "llm_agent": {
        "prompt": "user_prompt user_message question text",
        "system_prompt": "system system_message instructions",
        "llm_ref": "connection connection_ref llm provider credentials",
        "max_tokens": "max_output_tokens max_completion_tokens num_predict",
        "response_schema": "schema output_schema json_schema response_format",
        "stop": "stop_sequences",
    },
}
_BY_TYPE: Final[Mapping[str, Mapping[str, str]]] = {
    type_id: {name: key for key, names in keys.items() for name in names.split()} for type_id, keys in _OURS.items()
}


def foreign_config_hint(type_id: str, key: str, known: Container[str]) -> str | None:
    """Say what a key of a step's config is called here; None where that is not known."""
    ours = _BY_TYPE.get(type_id, {}).get(key.lower())
    return f"use `{ours}`" if ours in known and ours is not None else None
