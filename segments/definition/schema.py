"""The contract as a JSON Schema (2020-12): the canonical spelling, as the platform itself writes it."""

from typing import Any

from segments.definition.fields import MAX_PORT_NAME, MAX_PORTS, MAX_TEXT
from segments.definition.model import CONTRACT_VERSION, MAX_EDGES, MAX_RUN_ACTIVATIONS, MAX_STEPS
from segments.definition.reading import MAX_SECONDS, ON_UNKNOWN

ID_CHARACTERS = r"^[A-Za-z][A-Za-z0-9_-]*$"
MAX_ID = 64

_ID = {"type": "string", "pattern": ID_CHARACTERS, "maxLength": MAX_ID}
_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_PORT = {"type": "string", "minLength": 1, "maxLength": MAX_PORT_NAME}
_PORTS = {"type": "array", "items": _PORT, "minItems": 1, "maxItems": MAX_PORTS, "uniqueItems": True}
_SECONDS = {"type": "number", "minimum": 0.001, "maximum": MAX_SECONDS}


def json_schema() -> dict[str, Any]:
    """Write the schema. Unknown keys are allowed: they survive a round trip."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Segment",
        "type": "object",
        "required": ["version", "segment_id", "name", "entrypoint", "steps"],
        "properties": {
            "version": {"const": CONTRACT_VERSION},
            "segment_id": _ID,
            "name": {**_TEXT, "minLength": 1},
            "description": _TEXT,
            "entrypoint": _ID,
            "params": _params(),
            "steps": {"type": "array", "items": _step(), "minItems": 1, "maxItems": MAX_STEPS},
            "edges": {"type": "array", "items": _edge(), "maxItems": MAX_EDGES},
            "metadata": {"type": "object"},
            "input_schema": {"type": "object"},
            "output_schema": {"type": "object"},
        },
    }


def _params() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "max_retries": {"type": "integer", "minimum": 0, "maximum": 100, "default": 3},
            "timeout_seconds": {**_SECONDS, "default": 300},
            "parallel_execution": {"type": "boolean", "default": False},
            "max_activations": {"type": "integer", "minimum": 1, "maximum": MAX_RUN_ACTIVATIONS},
            "max_parallel_steps": {"type": "integer", "minimum": 1, "maximum": MAX_STEPS},
        },
    }


def _step() -> dict[str, Any]:
    axis = {"type": ["number", "null"]}
    return {
        "type": "object",
        "required": ["step_id", "type", "config"],
        "properties": {
            "step_id": _ID,
            "type": {"type": "string", "minLength": 1},
            "name": _TEXT,
            "config": {"type": "object"},
            "ports": {"type": "object", "properties": {"input": _PORTS, "output": _PORTS}},
            "position": {"type": "object", "properties": {"x": axis, "y": axis}},
            "ui": {"type": "object"},
            "retry": _retry(),
            "timeout_seconds": _SECONDS,
            "on_unknown": {"enum": list(ON_UNKNOWN)},
        },
    }


def _retry() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": 100},
            "initial_seconds": {"type": "number", "minimum": 0, "maximum": 3600},
            "factor": {"type": "number", "minimum": 1, "maximum": 100},
            "max_seconds": {"type": "number", "minimum": 0, "maximum": 24 * 3600},
        },
    }


def _edge() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["from", "to"],
        "properties": {
            "from": {"type": "string", "minLength": 1},
            "from_port": {**_PORT, "default": "output"},
            "to": {"type": "string", "minLength": 1},
            "to_port": {**_PORT, "default": "input"},
            "condition": {**_TEXT, "minLength": 1},
        },
    }
