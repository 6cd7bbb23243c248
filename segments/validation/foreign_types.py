"""Step types of other canvases, with those that do their work here."""

import re
from collections.abc import Container, Mapping
from typing import Final

_OF_OURS: Final = {
    "http_action": "http http_request http_node api api_call rest request webhook_call fetch action_send_data",
    "llm_agent": "llm chat chat_model agent ai_agent ai openai gpt prompt chain completion",
    "condition": "if if_else ifelse switch router basic_router filter branch decision gateway choice",
    "transform": "code function script python javascript set edit_fields set_fields mapper map template assigner "
    "set_variable change pass",
    "parallel_split": "split split_out split_in_batches iterator iteration loop loop_over_items for_each foreach fork "
    "basic_feeder parallel",
    "parallel_join": "merge join aggregate aggregator basic_aggregator collect gather",
    "human_task": "approval human human_input human_in_the_loop form manual user_task review",
    "wait": "delay sleep pause timer",
    "fail": "stop stop_and_error throw error terminate",
}
_HOW: Final = {
    "condition": "with one edge for each case, and its condition on it",
    "transform": "with expressions, as there is no code in steps",
    "parallel_split": "with `items`",
}
_TYPES: Final[Mapping[str, str]] = {name: ours for ours, names in _OF_OURS.items() for name in names.split()}
_ENDS: Final = frozenset(
    {"start", "end", "trigger", "webhook", "input", "output", "answer", "noop", "no_op", "inject", "debug", "succeed"}
)
_SERVICE: Final = "call the service's API with `http_action`; a person who is to answer is asked by a `human_task`"
_DATABASE: Final = "no step reads databases: call an API that does with `http_action`"
_BY_HTTP: Final = {
    _SERVICE: "email e_mail mail send_email send_mail email_send gmail smtp outlook sendgrid mailgun sms slack "
    "telegram discord teams whatsapp google_sheets airtable notion",
    _DATABASE: "database db sql query postgres postgresql mysql mssql sqlite mongodb redis",
}
_HINTS: Final[Mapping[str, str]] = {name: hint for hint, names in _BY_HTTP.items() for name in names.split()}
_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def foreign_type_hint(type_id: str, catalog: Container[str]) -> str | None:
    """Say what to use instead of another canvas's step type; None where its name is not known."""
    for name in _names(type_id[:64]):
        ours = _TYPES.get(name) or _TYPES.get(name.removesuffix("_node"))
        if ours in catalog and ours is not None:
            return f"use `{ours}`" + (f" {_HOW[ours]}" if ours in _HOW else "")
        if name in _ENDS:
            return "no step is needed: a run begins at the entrypoint with its input, and ends where no edge goes on"
        if name in _HINTS and "http_action" in catalog:
            return _HINTS[name]
    return None


def _names(type_id: str) -> list[str]:
    """Give the words a type may be known by: what it does, then the app it belongs to, as in `app:doThis`."""
    app, _, action = type_id.rpartition(".")[2].rpartition(":")
    words = [_WORD_STARTS.sub("_", word).lower().replace("-", "_").replace(" ", "_") for word in (action, app)]
    return [word for word in words if word]
