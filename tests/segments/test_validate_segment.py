from typing import Any

import pytest

from segments.validation import validate
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

ASK = {"prompt": "Say hello", "llm_ref": "default"}
CALL = {"url": "https://shop.example/orders", "method": "GET"}
DECIDE = {"expression": "input.total > 5"}
APPROVE = {"task_type": "approval"}


def test_accepts_a_whole_segment_without_a_word():
    whole = document(
        {
            "fetch:http_action": CALL,
            "split:parallel_split": {},
            "left": {"expression": "input.amount * 2"},
            "right:llm_agent": ASK,
            "join:parallel_join": {},
            "route:condition": {"expression": "len(input) == 2"},
            "ask:human_task": APPROVE,
            "close": {"mapping": {"first": "steps.fetch.output", "kept": 1}},
        },
        [
            "fetch -> split",
            "split.branch_1 -> left",
            "split.branch_2 -> right",
            "left -> join.branch_1",
            "right -> join.branch_2",
            "join -> route",
            "route.true -> ask",
            "route.false -> close",
            "ask.approved -> close",
            "ask.rejected -> close",
        ],
        input_schema={"type": "object", "properties": {"amount": {"type": "number"}}},
    )
    result = validate(whole, stand_in_catalog())
    assert result.findings == ()
    assert result.valid
    assert result.segment is not None


def test_gives_the_segment_even_when_it_is_not_valid_but_readable():
    result = validate(document({"a:unknown": {}}), stand_in_catalog())
    assert not result.valid
    assert result.segment is not None
    assert validate(document({"a": {}}, params=1), stand_in_catalog()).segment is None


# Each row: the accepted twin, the flawed segment, its findings. The twin has no finding at all.
CASES: dict[str, tuple[Any, Any, list[tuple[str, str, str]]]] = {
    "an id with capitals or hyphens passes with a warning": (
        document({"a_1": {}}),
        document({"A-1": {}}, segment_id="My-Segment"),
        [("warning", "INVALID_ID_FORMAT", "/segment_id"), ("warning", "INVALID_ID_FORMAT", "/steps/0/step_id")],
    ),
    "an id with other characters": (
        document({"a": {}}),
        document({"a b": {}}, segment_id="9lives"),
        [("error", "INVALID_ID_FORMAT", "/segment_id"), ("error", "INVALID_ID_FORMAT", "/steps/0/step_id")],
    ),
    "an id that ends in a line break": (
        document({"a": {}}),
        document({"a\n": {}}),
        [("error", "INVALID_ID_FORMAT", "/steps/0/step_id")],
    ),
    "an id that is too long": (
        document({"a" * 64: {}}),
        document({"a" * 65: {}}),
        [("error", "INVALID_ID_FORMAT", "/steps/0/step_id")],
    ),
    "a step without an id": (
        document({"a": {}, "b": {}}, ["a -> b"]),
        {
            **document({"a": {}, "b": {}}, ["a -> b"]),
            "steps": [*document({"a": {}, "b": {}})["steps"], {"type": "odd"}],
        },
        [("error", "MISSING_FIELD", "/steps/2/step_id"), ("error", "UNKNOWN_TYPE", "/steps/2/type")],
    ),
    "two steps with one id": (
        document({"a": {}}),
        {**document({"a": {}}), "steps": document({"a": {}})["steps"] * 2},
        [("error", "DUPLICATE_ID", "/steps/1/step_id")],
    ),
    "an unknown type": (
        document({"a": {}}),
        document({"a:transfrom": {}}),
        [("error", "UNKNOWN_TYPE", "/steps/0/type")],
    ),
    "an unknown type in another spelling": (
        document({"a": {}}),
        {**document({"a": {}}), "steps": [{"step_id": "a", "step_type": "nothing"}]},
        [("error", "UNKNOWN_TYPE", "/steps/0/step_type"), ("info", "ALIAS_READ", "/steps/0/step_type")],
    ),
    "an entrypoint that is not a step": (
        document({"a": {}}),
        document({"a": {}}, entrypoint="b"),
        [("error", "INVALID_ENTRYPOINT", "/entrypoint")],
    ),
    "no step at all": (
        document({"a": {}}),
        document({}, ["a -> b"], entrypoint="a"),
        [("error", "EMPTY_SEGMENT", "/steps")],
    ),
    "edges to and from nowhere": (
        document({"a": {}, "b": {}}, ["a -> b"]),
        document({"a": {}, "b": {}}, ["a -> b", "a -> c", "d -> a"]),
        [("error", "INVALID_REFERENCE", "/edges/1/to"), ("error", "INVALID_REFERENCE", "/edges/2/from")],
    ),
    "a branch of a condition that is not a step": (
        document({"a:condition": {**DECIDE, "true_branch": "b"}, "b": {}}, ["a -> b"]),
        document({"a:condition": {**DECIDE, "true_branch": "b", "false_branch": "c"}, "b": {}}, ["a -> b"]),
        [("error", "INVALID_REFERENCE", "/steps/0/config/false_branch")],
    ),
    "a port the type does not have": (
        document({"a:human_task": APPROVE, "b": {}}, ["a.approved -> b"]),
        document({"a:human_task": APPROVE, "b": {}}, ["a.aproved -> b"]),
        [("error", "UNKNOWN_PORT", "/edges/0/from_port")],
    ),
    "a port of a transform that is not declared": (
        document({"a": {"step": {"ports": {"output": ["output", "rest"]}}}, "b": {}}, ["a.rest -> b"]),
        document({"a": {}, "b": {}}, ["a.rest -> b"]),
        [("error", "UNKNOWN_PORT", "/edges/0/from_port")],
    ),
    "more declared outputs than the type has ports": (
        document({"a:human_task": {**APPROVE, "step": {"ports": {"output": ["yes", "no"]}}}}),
        document({"a:human_task": {**APPROVE, "step": {"ports": {"output": ["w", "x", "y", "z", "zz"]}}}}),
        [("warning", "UNKNOWN_PORT", "/steps/0/ports/output/4")],
    ),
    "an input port the step does not declare": (
        document({"a": {}, "b": {"step": {"ports": {"input": ["x", "y"]}}}}, ["a -> b.x"]),
        document({"a": {}, "b": {"step": {"ports": {"input": ["x", "y"]}}}}, ["a -> b.z"]),
        [("warning", "UNKNOWN_PORT", "/edges/0/to_port")],
    ),
    "an edge out of a condition that says nothing": (
        document({"a:condition": DECIDE, "b": {}}, ["a.true -> b"]),
        document({"a:condition": DECIDE, "b": {}}, ["a -> b"]),
        [("error", "CONDITION_PORT_MISSING", "/edges/0/from_port")],
    ),
    "a budget below the longest answer": (
        document({"a:llm_agent": {**ASK, "max_tokens": 500, "budget": {"tokens": 501}}}),
        document({"a:llm_agent": {**ASK, "max_tokens": 500, "budget": {"tokens": 500}}}),
        [("warning", "BUDGET_TOO_SMALL", "/steps/0/config/budget/tokens")],
    ),
    "an else without a condition beside it": (
        document({"a": {}, "b": {}, "c": {}}, ["a -> b ? input.x == 1", "a -> c ? else"]),
        document({"a": {}, "b": {}, "c": {}}, ["a -> b", "a -> c ? else"]),
        [
            ("error", "ELSE_WITHOUT_CONDITION", "/edges/1/condition"),
            ("warning", "CONDITIONAL_AND_UNCONDITIONAL", "/edges/0"),
        ],
    ),
    "a conditional edge beside one that is always taken": (
        document({"a": {}, "b": {}, "c": {}}, ["a -> b ? input.x == 1", "a -> c ? else"]),
        document({"a": {}, "b": {}, "c": {}}, ["a -> b ? input.x == 1", "a -> c"]),
        [("warning", "CONDITIONAL_AND_UNCONDITIONAL", "/edges/1")],
    ),
    "a config value of the wrong type": (
        document({"a:llm_agent": {**ASK, "temperature": 0.5}}),
        document({"a:llm_agent": {**ASK, "temperature": "hot", "max_tokens": 0}}),
        [
            ("error", "SCHEMA_VIOLATION", "/steps/0/config/temperature"),
            ("error", "SCHEMA_VIOLATION", "/steps/0/config/max_tokens"),
        ],
    ),
    "a config value inside a list": (
        document({"a:http_action": {**CALL, "accept_statuses": [404]}}),
        document({"a:http_action": {**CALL, "accept_statuses": [404, "none"]}}),
        [("error", "SCHEMA_VIOLATION", "/steps/0/config/accept_statuses/1")],
    ),
    "a config that says one thing in two ways": (
        document({"a": {"expression": "input"}}),
        document({"a": {"expression": "input", "mapping": {"x": "input"}}}),
        [("error", "SCHEMA_VIOLATION", "/steps/0/config")],
    ),
    "a condition that has nothing to decide by": (
        document({"a:condition": DECIDE}),
        document({"a:condition": {}}),
        [("error", "SCHEMA_VIOLATION", "/steps/0/config")],
    ),
    "a call without a target": (
        document({"a:http_action": CALL}),
        document({"a:http_action": {"method": "GET"}}),
        [("error", "MISSING_FIELD", "/steps/0/config")],
    ),
    "pages that follow each other in two ways": (
        document({"a:http_action": {**CALL, "pagination": {"next": "response.next"}}}),
        document({"a:http_action": {**CALL, "pagination": {"next": "response.next", "next_link": True}}}),
        [("error", "SCHEMA_VIOLATION", "/steps/0/config/pagination")],
    ),
    "a lost call about which nobody can be asked": (
        document({"a:http_action": {**CALL, "step": {"on_unknown": "ask"}}}),
        document({"a:http_action": {**CALL, "step": {"on_unknown": "guess"}}}),
        [("error", "SCHEMA_VIOLATION", "/steps/0/on_unknown")],
    ),
    "a config key that is misspelt": (
        document({"a": {"expression": "input"}}),
        document({"a": {"expresion": "input"}}),
        [("warning", "UNKNOWN_FIELD", "/steps/0/config/expresion")],
    ),
    "an alias in a config": (
        document({"a": {"mapping": {"x": "input"}}}),
        document({"a": {"mappings": {"x": "input"}}}),
        [("info", "ALIAS_READ", "/steps/0/config/mappings")],
    ),
    "an alias beside its key in a config": (
        document({"a:parallel_join": {"merge_strategy": "any"}, "b": {}}, ["b -> a"], entrypoint="b"),
        document(
            {"a:parallel_join": {"merge_strategy": "any", "strategy": "all"}, "b": {}}, ["b -> a"], entrypoint="b"
        ),
        [("warning", "ALIAS_IGNORED", "/steps/0/config/strategy")],
    ),
    "a model that is not named": (
        document({"a:llm_agent": ASK}),
        document({"a:llm_agent": {"prompt": "x"}}),
        [("info", "MISSING_FIELD", "/steps/0/config/llm_ref")],
    ),
    "an expression that cannot be read": (
        document({"a": {"expression": "input.x + 1"}, "b": {}}, ["a -> b ? output > 1"]),
        document({"a": {"expression": "input.x +"}, "b": {}}, ["a -> b ? output >"]),
        [
            ("error", "EXPRESSION_SYNTAX", "/steps/0/config/expression"),
            ("error", "EXPRESSION_SYNTAX", "/edges/0/condition"),
        ],
    ),
    "an expression inside a mapping that cannot be read": (
        document({"a": {"mapping": {"x": ["input.a", 5]}}}),
        document({"a": {"mapping": {"x": ["input.a", "input."]}}}),
        [("error", "EXPRESSION_SYNTAX", "/steps/0/config/mapping/x/1")],
    ),
    "a template inside a string of JSON text": (
        document({"a:http_action": {**CALL, "body": '{"n": {{ json(input.name) }}, "m": {"x": ["b"]}}'}}),
        document({"a:http_action": {**CALL, "body": '{"n": {{ json(input.name) }}, "m": {"x": ["{{ input.x }}!"]}}'}}),
        [("warning", "TEMPLATE_IN_JSON_TEXT", "/steps/0/config/body")],
    ),
    "a template that cannot be read": (
        document({"a:http_action": {**CALL, "headers": {"x-id": "{{ input.id }}"}}}),
        document({"a:http_action": {**CALL, "headers": {"x-id": "{{ input. }}"}}}),
        [("error", "EXPRESSION_SYNTAX", "/steps/0/config/headers/x-id")],
    ),
    "a step that does not exist in an expression": (
        document({"a": {}, "b": {"expression": "steps.a.output"}}, ["a -> b"]),
        document({"a": {}, "b": {"expression": "steps.aa.output"}}, ["a -> b"]),
        [("error", "NOT_UPSTREAM", "/steps/1/config/expression")],
    ),
    "a step that comes later in an expression": (
        document({"a": {}, "b": {"expression": "steps.a.output"}}, ["a -> b"]),
        document({"a": {"expression": "steps.b.output"}, "b": {}}, ["a -> b"]),
        [("error", "NOT_UPSTREAM", "/steps/0/config/expression")],
    ),
    "a step's own output in its expression": (
        document({"a": {}, "b": {}}, ["a -> b ? steps.a.output.x == 1"]),
        document({"a": {"expression": "steps.a.output"}, "b": {}}, ["a -> b"]),
        [("error", "NOT_UPSTREAM", "/steps/0/config/expression")],
    ),
    "a template that names a later step": (
        document(
            {"a": {}, "b:http_action": {**CALL, "path": None, "query": {"q": "{{ steps.a.output }}"}}}, ["a -> b"]
        ),
        document({"b:http_action": {**CALL, "query": {"q": "{{ steps.a.output }}"}}, "a": {}}, ["b -> a"]),
        [("error", "NOT_UPSTREAM", "/steps/0/config/query/q")],
    ),
    "a step that may not have run": (
        document(
            {"c:condition": DECIDE, "a": {}, "b": {"expression": "steps.c.output"}},
            ["c.true -> a", "c.false -> b", "a -> b"],
        ),
        document(
            {"c:condition": DECIDE, "a": {}, "b": {"expression": "[steps.a.output, steps.c.output]"}},
            ["c.true -> a", "c.false -> b", "a -> b"],
        ),
        [("warning", "MAY_NOT_HAVE_RUN", "/steps/2/config/expression")],
    ),
    "a prompt with single braces": (
        document({"a:llm_agent": {**ASK, "prompt": '{{ question }} in JSON: {"x": 1}'}}),
        document({"a:llm_agent": {**ASK, "prompt": "{question} and {question} and {{ other }}"}}),
        [("info", "SINGLE_BRACE_TEMPLATE", "/steps/0/config/prompt")],
    ),
    "a step that starts itself without end": (
        document({"a": {}}),
        document({"a": {}}, ["a -> a"]),
        [("error", "SELF_LOOP", "/edges/0")],
    ),
    "a step that may start itself": (
        document({"a": {}}),
        document({"a": {}}, ["a -> a ? output.n < 3"]),
        [("warning", "SELF_LOOP", "/edges/0")],
    ),
    "a step no way leads to": (
        document({"a": {}, "b": {}}, ["a -> b"]),
        document({"a": {}, "b": {}}),
        [("warning", "UNREACHABLE_STEP", "/steps/1")],
    ),
    "a loop without an exit": (
        document({"a": {}, "b:condition": DECIDE, "c": {}}, ["a -> b", "b.true -> a", "b.false -> c"]),
        document({"a": {}, "b:condition": DECIDE}, ["a -> b", "b.true -> a", "b.false -> a"]),
        [("warning", "UNBOUNDED_LOOP", "/steps/0")],
    ),
    "a loop that goes on beside its exit": (
        document({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> a ? output.again", "b -> c ? else"]),
        document({"a": {}, "b": {}, "c": {}}, ["a -> b", "b -> a", "b -> c"]),
        [("warning", "UNBOUNDED_LOOP", "/steps/0")],
    ),
    "a join nothing leads to": (
        document({"a": {}, "j:parallel_join": {}}, ["a -> j"]),
        document({"j:parallel_join": {}}),
        [("error", "JOIN_NEVER_FIRES", "/steps/0")],
    ),
    "a quorum without a count": (
        document({"a": {}, "j:parallel_join": {"merge_strategy": "quorum", "count": 1}}, ["a -> j"]),
        document({"a": {}, "j:parallel_join": {"merge_strategy": "quorum"}}, ["a -> j"]),
        [("error", "JOIN_NEVER_FIRES", "/steps/1/config/count")],
    ),
    "a quorum that is out of reach": (
        document({"a": {}, "j:parallel_join": {"merge_strategy": "quorum", "count": 1}}, ["a -> j"]),
        document({"a": {}, "j:parallel_join": {"merge_strategy": "quorum", "count": 2}}, ["a -> j"]),
        [("error", "JOIN_NEVER_FIRES", "/steps/1/config/count")],
    ),
    "a count without a quorum": (
        document({"a": {}, "j:parallel_join": {}}, ["a -> j"]),
        document({"a": {}, "j:parallel_join": {"count": 2}}, ["a -> j"]),
        [("error", "SCHEMA_VIOLATION", "/steps/1/config")],
    ),
    "several edges at once in a segment that is not parallel": (
        document({"a": {}, "b": {}, "c": {}}, ["a -> b", "a -> c"]),
        document({"a": {}, "b": {}, "c": {}}, ["a -> b", "a -> c"], params={}),
        [("warning", "IMPLICIT_FAN_OUT", "/steps/0")],
    ),
    "branches that meet without a join": (
        document(
            {"a": {}, "b": {}, "c": {}, "j:parallel_join": {}, "d": {}},
            ["a -> b", "a -> c", "b -> j", "c -> j", "j -> d"],
        ),
        document({"a": {}, "b": {}, "c": {}, "d": {}}, ["a -> b", "a -> c", "b -> d", "c -> d"]),
        [("warning", "DOUBLE_MERGE", "/steps/3")],
    ),
    "an input_schema that is none": (
        document({"a": {}}, input_schema={"type": "object"}),
        document({"a": {}}, input_schema={"type": "objekt"}),
        [("error", "SCHEMA_VIOLATION", "/input_schema/type")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_finds(name: str):
    twin, flawed, expected = CASES[name]
    assert judged(twin) == []
    found = [(one.severity.value, one.code, one.pointer) for one in validate(flawed, stand_in_catalog()).findings]
    assert found == expected


def findings(source: Any) -> dict[str, Any]:
    return {one.code: one for one in validate(source, stand_in_catalog()).findings}


def test_says_where_in_an_expression_and_what_to_write_instead():
    flaw = findings(document({"a": {"expression": "input.x => 1"}}))["EXPRESSION_SYNTAX"]
    assert "position 8" in flaw.message
    assert flaw.hint
    assert flaw.step_id == "a"


@pytest.mark.parametrize(
    ("flawed", "code", "near"),
    [
        (document({"a:transfrom": {}}), "UNKNOWN_TYPE", "transform"),
        (document({"a:http_request": {}}), "UNKNOWN_TYPE", "use `http_action`"),
        (document({"a:n8n-nodes-base.httpRequest": {}}), "UNKNOWN_TYPE", "use `http_action`"),
        (document({"a:llm": {}}), "UNKNOWN_TYPE", "use `llm_agent`"),
        (document({"a:switch": {}}), "UNKNOWN_TYPE", "use `condition` with one edge for each case"),
        (document({"a:if": {}}), "UNKNOWN_TYPE", "use `condition`"),
        (document({"a:code": {}}), "UNKNOWN_TYPE", "use `transform` with expressions"),
        (document({"a:set": {}}), "UNKNOWN_TYPE", "use `transform`"),
        (document({"a:If-Else": {}}), "UNKNOWN_TYPE", "use `condition`"),
        (document({"a:iteration": {}}), "UNKNOWN_TYPE", "use `parallel_split` with `items`"),
        (document({"a:trigger": {}}), "UNKNOWN_TYPE", "begins at the entrypoint"),
        (document({"fetch": {}}, entrypoint="fetsh"), "INVALID_ENTRYPOINT", "fetch"),
        (document({"fetch": {}}, ["fetch -> fetsh"]), "INVALID_REFERENCE", "fetch"),
        (document({"a": {"expresion": "1"}}), "UNKNOWN_FIELD", "expression"),
        (document({"fetch": {"expression": "steps.fetsh.output"}}), "NOT_UPSTREAM", "fetch"),
        (document({"a:human_task": APPROVE, "b": {}}, ["a.aproved -> b"]), "UNKNOWN_PORT", "approved"),
        (document({"a:human_task": APPROVE, "b": {}}, ["a.zzz -> b"]), "UNKNOWN_PORT", "known are"),
    ],
)
def test_suggests_what_was_probably_meant(flawed: Any, code: str, near: str):
    assert near in (findings(flawed)[code].hint or "")


def test_a_template_passes_where_another_type_belongs_and_is_checked_at_the_run():
    filled = document({"a:llm_agent": {**ASK, "temperature": "{{ input.t }}", "max_tokens": "{{ input.n }}"}})
    assert judged(filled) == []
    assert judged(document({"a:llm_agent": {**ASK, "temperature": "{ input.t }"}}), "error")
