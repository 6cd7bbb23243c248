"""Step types of other canvases, with those that do their work here."""

import re
from collections.abc import Container, Mapping
from typing import Final

_OF_OURS: Final = {
    "http_action": "http http_request http_node api api_call rest request webhook_call fetch",
    "llm_agent": "llm chat chat_model agent ai_agent ai openai gpt prompt chain completion",
    "condition": "if if_else ifelse switch router filter branch decision gateway",
    "transform": "code function script python javascript set edit_fields set_fields mapper map template assigner",
    "parallel_split": "split split_out split_in_batches iterator iteration loop loop_over_items for_each foreach fork",
    "parallel_join": "merge join aggregate aggregator collect gather",
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
_ENDS: Final = frozenset({"start", "end", "trigger", "webhook", "input", "output", "answer", "noop", "no_op"})
_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def foreign_type_hint(type_id: str, catalog: Container[str]) -> str | None:
    """Say what to use instead of another canvas's step type; None where its name is not known."""
    name = _WORD_STARTS.sub("_", type_id[:64].rpartition(".")[2]).lower().replace("-", "_").replace(" ", "_")
    ours = _TYPES.get(name) or _TYPES.get(name.removesuffix("_node"))
    if ours in catalog and ours is not None:
        return f"use `{ours}`" + (f" {_HOW[ours]}" if ours in _HOW else "")
    if name in _ENDS:
        return "no step is needed: a run begins at the entrypoint with its input, and ends where no edge goes on"
    return None
