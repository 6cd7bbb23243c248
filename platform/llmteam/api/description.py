"""The API's description as a whole: servers, tags, the meanings of enums, forms of ids, events by type."""

from collections.abc import Iterator
from typing import Any, Final

from foundation.request_fields import whole
from kernel.ids import ID_FORM
from runs.circuits.listing import CIRCUIT_ID
from runs.events.payloads import PAYLOADS
from runs.selectors import MAX_SEQ
from runs.webhooks.event_types import GROUPS
from segments.definition.prompt_names import TEMPLATE_ID
from segments.selectors import SEGMENT_ID
from segments.versioned import MAX_NUMBER
from tenants.connections.rules import REF

TAGS: Final = {
    "audit": "The tenant's audit log: its entries, receipts, and the files that others verify it by.",
    "callback-secret": "The secret that signs what callbacks are sent.",
    "catalog": "The step types a segment may use, as canvases read them; trying one out.",
    "circuits": "Circuit breakers: what is not called for now, and why.",
    "connections": "Services that steps may call, with the tenant's own credentials.",
    "deliveries": "Deliveries of callbacks, and their results.",
    "events": "What happens in all runs of the tenant.",
    "human-tasks": "Tasks that wait for people, and their decisions.",
    "invitations": "People who are asked to join the tenant.",
    "keys": "The tenant's API keys: make, list, rotate, revoke.",
    "me": "Whose key it is, and what it may do.",
    "members": "The tenant's people: roles, groups, absences.",
    "prompts": "Stored prompts and their versions.",
    "runs": "Executions of segments: start, read, follow, command.",
    "schemas": "JSON Schemas of what is sent.",
    "segments": "Workflows: validate, save, read their revisions, start them.",
    "tenant": "Limits, usage and notifications of the tenant; its suspension and deletion by an operator.",
    "tokens": "Short-lived keys with fewer rights, for browsers.",
    "webhook-endpoints": "URLs that are told of events of all runs: make, change, test, read what they were sent.",
    "ws-tickets": "Tickets that authenticate a WebSocket.",
}
EVENT_MEANINGS: Final = {
    "segment.started": "A run began.",
    "segment.completed": "A run is over, with its output.",
    "segment.failed": "A run is over, with an error.",
    "segment.cancelled": "A run was cancelled.",
    "segment.paused": "A run is paused.",
    "segment.resumed": "A run goes on.",
    "step.started": "An attempt of a step began.",
    "step.completed": "A step is over, with what left by its ports.",
    "step.failed": "A step is over, with an error.",
    "step.skipped": "A step is not needed any more.",
    "step.retrying": "An attempt failed; another follows.",
    "step.waiting": "A step waits for a time or a call.",
    "human.task_created": "A person is asked.",
    "human.task_assigned": "Somebody claimed a task, or was assigned it.",
    "human.task_escalated": "Others are asked, as nobody answered in time.",
    "human.task_completed": "A task is decided, or its time is over.",
    "action.started": "A step began to act: a call, a tool.",
    "action.completed": "An act of a step succeeded.",
    "action.failed": "An act of a step failed.",
    "tenant.licence_expiring": "The licence or trial ends soon.",
    "tenant.licence_ended": "The licence or trial has ended.",
    "audit.checkpoint": "The tenant's audit log was signed anew; at most one a minute.",
    **{group: f"All of {', '.join(f'`{kind}`' for kind in kinds)}." for group, kinds in GROUPS.items()},
}
"""Meanings of the event types that webhook endpoints may ask for."""
MEANINGS: Final[dict[str, dict[str, str]]] = {
    "ByEnum": {"segment": "A line for each segment.", "group": "A line for each group that is asked."},
    "SourceEnum": {
        "override": "An operator, for this tenant.",
        "licence": "The tenant's licence.",
        "tier": "The tenant's tier.",
        "installation": "The installation, for all tenants.",
    },
    "TierEnum": {
        "free": "Runs of few steps.",
        "starter": "Parallel branches, too.",
        "professional": "HTTP calls and people, too.",
        "enterprise": "Everything.",
    },
    "DecisionEnum": {
        "approved": "As it is.",
        "rejected": "No; the task may want a comment.",
        "modified": "Yes, with the data that is sent.",
    },
    "CallbackStateEnum": {
        "waiting": "No event for it has happened yet.",
        "pending": "Not delivered yet; it is tried again.",
        "delivered": "The receiver answered with 2xx.",
        "refused": "The receiver refused for good (410).",
        "blocked": "The address may not be called, or is there no more.",
        "exhausted": "Tried as often as it may be.",
    },
    "DisabledReasonEnum": {
        "request": "Somebody asked for it.",
        "failing": "Every try had failed for five days.",
        "gone": "It answered 410.",
    },
    "DeliveryStatusEnum": {
        "pending": "Not delivered yet; it is tried again.",
        "delivered": "The receiver answered with 2xx.",
        "refused": "The receiver refused for good (410).",
        "blocked": "The address may not be called.",
        "exhausted": "Tried as often as it may be.",
    },
    "EventTypesEnum": EVENT_MEANINGS,
    "EventsEnum": {
        "segment.started": "The run began.",
        "segment.completed": "The run is over, with its output.",
        "segment.failed": "The run is over, with an error.",
        "segment.cancelled": "The run was cancelled.",
        "segment.paused": "The run is paused.",
        "segment.resumed": "The run goes on.",
        "step.waiting": "A step waits for a time or a call.",
        "human.task_created": "A person is asked.",
        "human.task_assigned": "Somebody claimed the task, or was assigned it.",
        "human.task_escalated": "Others are asked, as nobody answered in time.",
        "human.task_completed": "The task is decided, or its time is over.",
    },
    "ExportStatusEnum": {
        "queued": "Waiting to be written.",
        "running": "It is being written.",
        "ready": "Its archive can be downloaded until `expires_at`.",
        "failed": "Three tries failed; request it again.",
    },
    "VerificationStatusEnum": {
        "queued": "Waiting for a worker.",
        "running": "It is under way.",
        "done": "It has a verdict.",
        "failed": "Three tries failed; ask again.",
    },
    "FormatEnum": {"json": "An object.", "csv": "A table for spreadsheets."},
    "InvitationStatusEnum": {
        "open": "Waits to be accepted.",
        "accepted": "The person is a member.",
        "revoked": "Taken back.",
        "expired": "Its time is over.",
    },
    "KindEnum": {"llm": "A language model.", "http": "An HTTP API."},
    "OnDuplicateEnum": {
        "return_existing": "The run with the same `client_reference` is answered, and none is started."
    },
    "RemovalStageEnum": {
        "cancelling": "Its runs are being cancelled.",
        "closing": "Its keys are refused; its runs are being released.",
        "removing": "Its rows are being removed.",
    },
    "RoleEnum": {
        "admin": "May do everything in the tenant.",
        "reviewer": "Decides tasks.",
        "auditor": "Reads, and changes nothing.",
    },
    "RunStatusEnum": {
        "queued": "Not begun yet.",
        "running": "Steps are executed.",
        "waiting": "Waits for a person, a time, a call or a limit; `waiting_for` says which.",
        "paused": "Stopped by a command until it is resumed.",
        "stalled": "Cannot go on until somebody acts; `waiting_for` says why.",
        "completed": "Over, with its output.",
        "failed": "Over, with an error.",
        "cancelled": "Ended by a command.",
        "timed_out": "Over, because it took too long.",
    },
    "ScopesEnum": {
        "segments:read": "Read segments, prompts and the catalog; validate.",
        "segments:write": "Save and archive segments and prompts.",
        "runs:read": "Read and follow runs.",
        "runs:write": "Start and command runs.",
        "tasks:read": "Read human tasks.",
        "tasks:write": "Claim, hand on and decide human tasks.",
        "audit:read": "Read what was changed, and by whom.",
        "tenant:read": "Read members, connections, limits and usage.",
        "tenant:write": "Change members and connections; act for members.",
        "webhooks:write": "Change webhook endpoints, the callback secret, and the notification URL of tasks.",
        "keys:read": "Read the tenant's API keys, never a secret.",
        "keys:write": "Make, rotate and revoke API keys.",
    },
    "SecretInEnum": {"header": "In the header, as Basic.", "body": "In the body, as fields."},
    "StandingEnum": {
        "none": "There is no licence.",
        "pending": "It begins later.",
        "valid": "It holds.",
        "grace": "It has ended; for a day all works as before.",
        "over": "It is over: the default tier holds.",
    },
    "SeverityEnum": {"info": "As expected.", "warning": "Look at it.", "error": "It failed, or is not allowed."},
    "StepStatusEnum": {
        "running": "An attempt is executed.",
        "retrying": "Waits for its next attempt.",
        "waiting": "Waits for a person, a time or a call.",
        "completed": "Over, with what left by its ports.",
        "failed": "Over, with an error.",
        "skipped": "Not needed any more.",
    },
    "SuspendedRunsEnum": {"finish": "They go on and end.", "pause": "They are paused until the tenant is resumed."},
    "SigningEnum": {"symmetric": "With a shared secret (`v1`).", "ed25519": "With a key pair (`v1a`)."},
    "TargetEnum": {
        "callback": "The run's callback.",
        "tenant": "The tenant's notifications.",
        "endpoint": "A webhook endpoint.",
    },
    "TaskStatusEnum": {
        "open": "Waits for a decision.",
        "completed": "Decided.",
        "timed_out": "Nobody decided in time.",
        "cancelled": "Its run no longer needs it.",
    },
    "TenantStateEnum": {
        "active": "All works.",
        "suspended": "Nothing is started; all else works.",
        "to_be_deleted": "Nothing is started; all it has will be removed.",
    },
    "TaskTypeEnum": {
        "approval": "Yes or no.",
        "review": "Yes, no, or yes with changes.",
        "input": "Data is asked for.",
        "choice": "One of several.",
    },
    "TypeEnum": {
        "provider": "In the way the language model's provider expects.",
        "none": "Nothing is shown.",
        "bearer": "`Authorization: Bearer`.",
        "basic": "`Authorization: Basic`, with `username`.",
        "header": "In the header `name`.",
        "query": "In the query parameter `name`.",
        "digest": "Answers the host's challenge, with `username`.",
        "oauth2": "A token of `token_url`, by client credentials.",
    },
}
"""Meanings of the values of enums, by the name of their type."""
PATH_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    **{
        name: {"type": "string", "format": "uuid", "pattern": whole(ID_FORM)}
        for name in (
            "run_id",
            "task_id",
            "member_id",
            "invitation_id",
            "delivery_id",
            "account_id",
            "export_id",
            "key_id",
            "endpoint_id",
            "verification_id",
        )
    },
    "segment_id": {"type": "string", "pattern": whole(SEGMENT_ID)},
    "template_id": {"type": "string", "pattern": whole(TEMPLATE_ID)},
    "ref": {"type": "string", "pattern": whole(REF)},
    "circuit_id": {"type": "string", "pattern": whole(CIRCUIT_ID)},
    "number": {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER},
    "seq": {"type": "integer", "minimum": 1, "maximum": MAX_SEQ},
}
"""The forms of what paths name: those that the readers of addresses go by."""


def complete(result: dict[str, Any], **_told: object) -> dict[str, Any]:
    """Add to the description what no single operation knows; called by drf-spectacular behind all else."""
    schemas = result["components"]["schemas"]
    result["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    for name, meanings in MEANINGS.items():
        schemas[name]["description"] = "\n".join(f"* `{value}` - {text}" for value, text in meanings.items())
    for parameter in _parameters(result["paths"]):
        if parameter["in"] == "path":
            parameter["schema"] = PATH_PARAMETERS.get(parameter["name"], parameter["schema"])
        else:
            _forbid_null(parameter["schema"])
    _type_events(schemas)
    schemas["Problem"]["additionalProperties"] = True
    _unwrap(schemas)
    return result


def _unwrap(node: Any) -> None:
    """Write a reference with words beside it as OpenAPI 3.1 has it; 3.0 needed ``allOf`` around it."""
    if isinstance(node, dict):
        if len(node.get("allOf", ())) == 1:
            node |= node.pop("allOf")[0]
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            _unwrap(one)


def _parameters(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in paths.values():
        for operation in operations.values():
            yield from operation.get("parameters", ())


def _forbid_null(schema: dict[str, Any]) -> None:
    """Leave null out where only texts can be: a parameter is there or not."""
    if isinstance(schema.get("type"), list):
        (schema["type"],) = (kind for kind in schema["type"] if kind != "null")


def _type_events(schemas: dict[str, Any]) -> None:
    """Describe an event as one of its types, each with its own payload."""
    base = schemas["Event"]
    names = {kind: "".join(part.capitalize() for part in kind.replace("_", ".").split(".")) for kind in PAYLOADS}
    for kind, payload in PAYLOADS.items():
        schemas[f"{names[kind]}Payload"] = {**payload, "description": f"The payload of `{kind}`."}
        members = {
            "event_type": {"type": "string", "const": str(kind)},
            "payload": {"$ref": f"#/components/schemas/{names[kind]}Payload"},
        }
        schemas[f"{names[kind]}Event"] = {
            **base,
            "description": f"One fact about a run: `{kind}`.",
            "properties": {**base["properties"], **members},
        }
    refs = {str(kind): f"#/components/schemas/{names[kind]}Event" for kind in PAYLOADS}
    schemas["Event"] = {
        "description": base["description"],
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "event_type", "mapping": refs},
    }
