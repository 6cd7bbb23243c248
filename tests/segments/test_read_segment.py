import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.definition import Params, Retry, SegmentDefinition, Severity, content_hash, json_schema, read_segment
from tests.support.stand_in_catalog import document

PLAIN = document({"first": {"expression": "input"}, "second": {}}, ["first -> second"])


def changed(path: str, value: Any, source: dict[str, Any] = PLAIN) -> dict[str, Any]:
    """The document with one place set; a value of ... removes it."""
    result = copy.deepcopy(source)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    at: Any = result
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return result


def found(source: Any) -> list[tuple[str, str, str]]:
    return [(one.severity.value, one.code, one.pointer) for one in read_segment(source).findings]


def segment_of(source: Any) -> SegmentDefinition:
    reading = read_segment(source)
    assert reading.segment is not None, reading.findings
    return reading.segment


def test_reads_the_canonical_spelling_without_a_word():
    reading = read_segment(PLAIN)
    assert reading.findings == ()
    assert reading.segment is not None
    assert [step.step_id for step in reading.segment.steps] == ["first", "second"]
    assert (reading.segment.edges[0].source, reading.segment.edges[0].target) == ("first", "second")
    assert reading.segment.to_dict()["params"] == {
        "max_retries": 3,
        "timeout_seconds": 300,
        "parallel_execution": True,
    }


STEP_ALIASES = [("step_type", "type")]
EDGE_ALIASES = [
    ("from_step", "from"),
    ("source_step", "from"),
    ("source", "from"),
    ("source_port", "from_port"),
    ("to_step", "to"),
    ("target_step", "to"),
    ("target", "to"),
    ("target_port", "to_port"),
]


@pytest.mark.parametrize(("alias", "key"), EDGE_ALIASES)
def test_reads_each_alias_of_an_edge_and_says_so(alias: str, key: str):
    canonical = changed("edges/0", {"from": "first", "from_port": "output", "to": "second", "to_port": "input"})
    aliased = copy.deepcopy(canonical)
    aliased["edges"][0][alias] = aliased["edges"][0].pop(key)
    assert found(canonical) == []
    assert found(aliased) == [("info", "ALIAS_READ", f"/edges/0/{alias}")]
    assert segment_of(aliased) == segment_of(canonical)
    assert segment_of(aliased).to_dict()["edges"] == canonical["edges"]


def test_reads_the_aliases_of_a_step_and_of_the_segment():
    aliased = changed("steps/0/step_type", "transform", changed("steps/0/type", ...))
    aliased["workflow_id"] = aliased.pop("segment_id")
    assert found(aliased) == [
        ("info", "ALIAS_READ", "/workflow_id"),
        ("info", "ALIAS_READ", "/steps/0/step_type"),
    ]
    assert segment_of(aliased) == segment_of(PLAIN)


@pytest.mark.parametrize(
    "spelling",
    [
        {"ports": {"input": ["a"], "output": ["b", "c"]}},
        {"inputs": ["a"], "outputs": ["b", "c"]},
        {"ports": {"inputs": ["a"], "outputs": ["b", "c"]}},
    ],
)
def test_reads_ports_in_every_spelling(spelling: dict[str, Any]):
    segment = segment_of(changed("steps/0", {**PLAIN["steps"][0], **spelling}))
    assert segment.steps[0].ports.input == ("a",)
    assert segment.steps[0].ports.output == ("b", "c")
    assert segment.to_dict()["steps"][0]["ports"] == {"input": ["a"], "output": ["b", "c"]}  # type: ignore[index,call-overload] # plain JSON


def test_takes_empty_port_lists_for_not_declared():
    segment = segment_of(changed("steps/0", {**PLAIN["steps"][0], "inputs": [], "outputs": []}))
    assert segment == segment_of(PLAIN)


def test_counts_a_port_listed_twice_once_and_says_so():
    once = changed("steps/0/ports", {"output": ["a", "b"]})
    twice = changed("steps/0/ports", {"output": ["a", "b", "a"]})
    assert found(once) == []
    assert found(twice) == [("warning", "DUPLICATE_ID", "/steps/0/ports/output/2")]
    assert segment_of(twice) == segment_of(once)


def test_ignores_an_alias_beside_its_key_with_a_warning():
    both = changed("edges/0/source", "elsewhere")
    assert found(both) == [("warning", "ALIAS_IGNORED", "/edges/0/source")]
    assert segment_of(both) == segment_of(PLAIN)
    ports = changed("steps/0", {**PLAIN["steps"][0], "ports": {"output": ["a"]}, "outputs": ["b"]})
    assert found(ports) == [("warning", "ALIAS_IGNORED", "/steps/0/outputs")]
    assert segment_of(ports).steps[0].ports.output == ("a",)


@pytest.mark.parametrize("version", ["1.0.0", "1", 1, 1.0])
def test_reads_other_spellings_of_the_version(version: Any):
    assert found(changed("version", version)) == [("info", "ALIAS_READ", "/version")]
    assert segment_of(changed("version", version)) == segment_of(PLAIN)


def test_takes_the_first_step_for_a_missing_entrypoint_and_the_id_for_a_missing_name():
    bare = changed("name", ..., changed("entrypoint", ..., changed("version", ...)))
    assert found(bare) == [("info", "MISSING_FIELD", "/name"), ("info", "MISSING_ENTRYPOINT", "/entrypoint")]
    segment = segment_of(bare)
    assert (segment.entrypoint, segment.name, segment.version) == ("first", "sample", "1.0")


@pytest.mark.parametrize(
    ("path", "value", "code", "pointer"),
    [
        ("segment_id", ..., "MISSING_FIELD", "/segment_id"),
        ("segment_id", "", "MISSING_FIELD", "/segment_id"),
        ("segment_id", None, "MISSING_FIELD", "/segment_id"),
        ("segment_id", 7, "INVALID_TYPE", "/segment_id"),
        ("steps", ..., "MISSING_FIELD", "/steps"),
        ("steps", {}, "INVALID_TYPE", "/steps"),
        ("steps", [], "EMPTY_SEGMENT", "/steps"),
        ("steps/1", 7, "INVALID_TYPE", "/steps/1"),
        ("steps/0/step_id", ..., "MISSING_FIELD", "/steps/0/step_id"),
        ("steps/0/type", ..., "MISSING_FIELD", "/steps/0/type"),
        ("steps/0/config", [], "INVALID_TYPE", "/steps/0/config"),
        ("steps/0/ports", [], "INVALID_TYPE", "/steps/0/ports"),
        ("steps/0/ports", {"input": "a"}, "INVALID_TYPE", "/steps/0/ports/input"),
        ("steps/0/ports", {"input": [1]}, "INVALID_TYPE", "/steps/0/ports/input/0"),
        ("steps/0/ports", {"input": [""]}, "SCHEMA_VIOLATION", "/steps/0/ports/input/0"),
        ("steps/0/ports", {"input": ["a" * 129]}, "SCHEMA_VIOLATION", "/steps/0/ports/input/0"),
        ("steps/0/ports", {"input": [str(n) for n in range(201)]}, "TOO_LARGE", "/steps/0/ports/input"),
        ("steps/0/inputs", "a", "INVALID_TYPE", "/steps/0/inputs"),
        ("steps/0/position", {"x": "left"}, "INVALID_TYPE", "/steps/0/position/x"),
        ("steps/0/position", {"x": 1, "y": True}, "INVALID_TYPE", "/steps/0/position/y"),
        ("steps/0/ui", "blue", "INVALID_TYPE", "/steps/0/ui"),
        ("steps/0/retry", {"max_attempts": 0}, "SCHEMA_VIOLATION", "/steps/0/retry/max_attempts"),
        ("steps/0/retry", {"max_attempts": 1.5}, "INVALID_TYPE", "/steps/0/retry/max_attempts"),
        ("steps/0/retry", {"factor": 0.5}, "SCHEMA_VIOLATION", "/steps/0/retry/factor"),
        ("steps/0/timeout_seconds", 0, "SCHEMA_VIOLATION", "/steps/0/timeout_seconds"),
        ("steps/0/on_unknown", "guess", "SCHEMA_VIOLATION", "/steps/0/on_unknown"),
        ("steps/0/on_unknown", 1, "INVALID_TYPE", "/steps/0/on_unknown"),
        ("edges", {}, "INVALID_TYPE", "/edges"),
        ("edges/0", "first", "INVALID_TYPE", "/edges/0"),
        ("edges/0/from", ..., "MISSING_FIELD", "/edges/0/from"),
        ("edges/0/to", ..., "MISSING_FIELD", "/edges/0/to"),
        ("edges/0/condition", 1, "INVALID_TYPE", "/edges/0/condition"),
        ("edges/0/condition", "x" * 10_001, "TOO_LARGE", "/edges/0/condition"),
        ("params", [], "INVALID_TYPE", "/params"),
        ("params/max_retries", -1, "SCHEMA_VIOLATION", "/params/max_retries"),
        ("params/max_retries", True, "INVALID_TYPE", "/params/max_retries"),
        ("params/max_retries", "3", "INVALID_TYPE", "/params/max_retries"),
        ("params/timeout_seconds", 10**9, "SCHEMA_VIOLATION", "/params/timeout_seconds"),
        ("params/parallel_execution", "yes", "INVALID_TYPE", "/params/parallel_execution"),
        ("params/max_activations", 10_001, "SCHEMA_VIOLATION", "/params/max_activations"),
        ("params/max_parallel_steps", 0, "SCHEMA_VIOLATION", "/params/max_parallel_steps"),
        ("metadata", [], "INVALID_TYPE", "/metadata"),
        ("input_schema", True, "INVALID_TYPE", "/input_schema"),
        ("version", "2.0", "SCHEMA_VIOLATION", "/version"),
        ("version", True, "INVALID_TYPE", "/version"),
        ("version", [], "INVALID_TYPE", "/version"),
        ("metadata", {"n": 2**53 + 1}, "VALUE_REFUSED", "/metadata/n"),
        ("metadata", {"a/b~": "\0"}, "VALUE_REFUSED", "/metadata/a~1b~0"),
    ],
)
def test_refuses_a_wrong_part_and_points_at_it(path: str, value: Any, code: str, pointer: str):
    assert found(PLAIN) == []
    reading = read_segment(changed(path, value))
    assert reading.segment is None
    errors = [(one.code, one.pointer) for one in reading.findings if one.severity is Severity.ERROR]
    assert errors == [(code, pointer)]


def test_tells_the_step_and_the_edge_of_a_finding():
    reading = read_segment(changed("edges/0/to", ..., changed("steps/0/config", 1)))
    assert [(one.step_id, one.edge) for one in reading.findings] == [("first", None), (None, 0)]
    assert reading.findings[0].to_dict() == {
        "severity": "error",
        "code": "INVALID_TYPE",
        "pointer": "/steps/0/config",
        "step_id": "first",
        "edge": None,
        "message": "'config' must be an object, not a number.",
        "hint": None,
    }


def test_finds_everything_wrong_at_once():
    document = {"steps": [{"type": "transform"}, {"step_id": "b"}], "edges": [{"from": "b"}], "params": 1}
    assert [pointer for _, _, pointer in found(document)] == [
        "/segment_id",
        "/steps/0/step_id",
        "/steps/1/type",
        "/name",
        "/params",
        "/edges/0/to",
    ]


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "segment", []])
def test_refuses_what_is_no_object(value: Any):
    assert found(value) == [("error", "INVALID_TYPE", "")]


def test_keeps_unknown_keys_and_suggests_the_known_one():
    odd = changed("steps/0/confg", {"a": None})
    odd["edges"][0]["colour"] = "red"
    odd["owner"] = None
    odd["params"]["max_retrys"] = 1
    odd["steps"][0]["retry"] = {"jitter": 1}
    odd["steps"][0]["ports"] = {"side": []}
    reading = read_segment(odd)
    assert [(one.code, one.pointer, one.severity) for one in reading.findings] == [
        ("UNKNOWN_FIELD", pointer, Severity.WARNING)
        for pointer in (
            "/steps/0/ports/side",
            "/steps/0/retry/jitter",
            "/steps/0/confg",
            "/params/max_retrys",
            "/edges/0/colour",
            "/owner",
        )
    ]
    hints = {one.pointer: one.hint for one in reading.findings}
    assert "config" in (hints["/steps/0/confg"] or "")
    assert "max_retries" in (hints["/params/max_retrys"] or "")
    written = segment_of(odd).to_dict()
    assert written["owner"] is None
    assert written["steps"][0]["confg"] == {"a": None}  # type: ignore[index,call-overload] # plain JSON
    assert segment_of(written) == segment_of(odd)


def test_bounds_the_numbers_of_steps_and_edges():
    full = document({f"s{n}": {} for n in range(1000)}, ["s0 -> s1"] * 4000)
    assert found(full) == []
    assert found(document({f"s{n}": {} for n in range(1001)})) == [("error", "TOO_LARGE", "/steps")]
    assert found(document({"a": {}}, ["a -> a"] * 4001)) == [("error", "TOO_LARGE", "/edges")]


def test_bounds_size_and_depth():
    nested: Any = 1
    for _ in range(61):
        nested = [nested]
    assert found(changed("metadata", {"a": nested})) == []
    for _ in range(5000):
        nested = [nested]
    assert [code for _, code, _ in found(changed("metadata", {"a": nested}))] == ["TOO_LARGE"]
    assert found(changed("metadata", {"a": "x" * 1_000_000})) == []
    assert found(changed("metadata", {"a": "x" * 1_100_000})) == [("error", "TOO_LARGE", "")]


def test_gives_at_most_500_findings_errors_first_and_a_note():
    crowded = changed("edges", [{"from": "first"}], {**PLAIN, **{f"k{n}": n for n in range(700)}})
    findings = read_segment(crowded).findings
    assert len(findings) == 501
    assert (findings[0].code, findings[0].pointer) == ("MISSING_FIELD", "/edges/0/to")
    assert findings[-1].code == "TOO_MANY_FINDINGS"
    assert "201 further" in findings[-1].message


def test_equal_content_has_one_hash():
    spelled = changed("version", "1.0.0", json.loads(json.dumps(PLAIN, sort_keys=True)))
    assert content_hash(segment_of(spelled)) == content_hash(segment_of(PLAIN))
    assert content_hash(segment_of(changed("name", "Other"))) != content_hash(segment_of(PLAIN))


def test_defaults_are_the_contracts():
    assert Params().to_dict() == {"max_retries": 3, "timeout_seconds": 300, "parallel_execution": False}
    assert (Params().max_activations_per_step, Params().max_activations_per_run) == (1000, 10_000)
    assert Params(max_activations=5).max_activations_per_step == 5
    assert Params().max_parallel_steps == 64
    assert segment_of(changed("steps/0/retry", {"max_seconds": 5})).steps[0].retry == Retry(max_seconds=5)
    assert segment_of(changed("params/max_parallel_steps", 3)).params.to_dict()["max_parallel_steps"] == 3
    assert segment_of(changed("params/max_retries", 2.0)).params.max_retries == 2


def test_the_schema_refuses_wrong_documents():
    validator = jsonschema.Draft202012Validator(json_schema())
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert validator.is_valid(segment_of(PLAIN).to_dict())
    for path, value in [
        ("segment_id", ...),
        ("segment_id", "with space"),
        ("steps", []),
        ("steps/0/type", ...),
        ("steps/0/config", []),
        ("edges/0/to", ...),
        ("params/max_retries", "3"),
        ("version", "2.0"),
    ]:
        assert not validator.is_valid(changed(path, value)), path


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(max_size=6), JSON, max_size=3)
UNKNOWN = st.dictionaries(st.from_regex(r"x_[a-z]{1,5}", fullmatch=True), JSON, max_size=2)
ID = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
PORT = st.text(min_size=1, max_size=10)
SECONDS = st.floats(0.5, 1000) | st.integers(1, 1000)


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda made: {key: value for part in made for key, value in part.items()})


PORTS = st.lists(PORT, unique=True, max_size=3)
STEP = merged(
    st.fixed_dictionaries({"step_id": ID, "type": PORT}),
    some(
        name=st.text(max_size=5),
        config=OBJECT,
        ports=merged(some(input=PORTS, output=PORTS), UNKNOWN),
        position=st.fixed_dictionaries({"x": SECONDS, "y": SECONDS}),
        ui=OBJECT,
        retry=merged(some(max_attempts=st.integers(1, 100), factor=st.floats(1, 100)), UNKNOWN),
        timeout_seconds=SECONDS,
        on_unknown=st.sampled_from(["retry", "fail", "ask"]),
    ),
    UNKNOWN,
)
EDGE = merged(
    st.fixed_dictionaries({"from": PORT, "to": PORT}),
    some(from_port=PORT, to_port=PORT, condition=st.text(max_size=10)),
    UNKNOWN,
)
SEGMENT = merged(
    st.fixed_dictionaries({"segment_id": ID, "steps": st.lists(STEP, min_size=1, max_size=3)}),
    some(
        name=st.text(max_size=5),
        description=st.text(max_size=5),
        entrypoint=ID,
        edges=st.lists(EDGE, max_size=3),
        params=merged(
            some(max_retries=st.integers(0, 100), timeout_seconds=SECONDS, max_parallel_steps=st.integers(1, 1000)),
            UNKNOWN,
        ),
        metadata=OBJECT,
        input_schema=OBJECT,
    ),
    UNKNOWN,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEGMENT)
def test_round_trips_are_lossless(source: dict[str, Any]):
    reading = read_segment(source)
    clean = "\0" not in json.dumps(source) and "\\u0000" not in json.dumps(source)
    if not clean:
        assert reading.segment is None
        return
    assert reading.segment is not None, reading.findings
    written = reading.segment.to_dict()
    again = read_segment(written)
    assert again.segment == reading.segment
    assert {one.code for one in again.findings} <= {"UNKNOWN_FIELD"}
    assert again.segment.to_dict() == written
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(written)


@settings(max_examples=150, deadline=None)
@given(JSON | SEGMENT)
def test_reads_any_json_without_raising(source: Any):
    assert isinstance(read_segment(source).findings, tuple)
