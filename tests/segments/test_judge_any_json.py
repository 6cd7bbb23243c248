import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.validation import validate
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

ASK = {"prompt": "Say hello", "llm_ref": "default"}


def test_bounds_the_number_of_expressions():
    few = document({"a": {"mapping": {f"k{n}": "input" for n in range(20_000)}}})
    assert judged(few) == []
    many = document({"a": {"mapping": {f"k{n}": "input" for n in range(20_001)}}})
    assert judged(many) == [("TOO_LARGE", "/steps/0/config")]
    braces = document({"a:llm_agent": {**ASK, "prompt": "{{a}}" * 10_001}})
    assert judged(braces) == [("TOO_LARGE", "/steps/0/config")]


def hostile() -> dict[str, Any]:
    ids = [f"s{n}" for n in range(1000)]
    ring = [f"s{n} -> s{(n + 1) % 1000}" for n in range(1000)]
    ladder = [f"s{n} -> s{n + 2}" for n in range(998)] + [f"s{n + 3} -> s{n}" for n in range(997)]
    layers = [f"s{a} -> s{b}" for a in range(60) for b in range(60, 120)]
    star = [f"s0 -> s{n % 1000} ? x == {n}" for n in range(4000)]
    return {
        "ten thousand steps": document({f"s{n}": {} for n in range(10_000)}),
        "ring": document({key: {} for key in ids}, ring),
        "ladder": document({key: {} for key in ids}, ring + ladder, params={}),
        "layers": document({key: {} for key in ids}, layers, params={}),
        "star": document({key: {} for key in ids}, star, params={}),
        "items": document({"a": {"default": [0] * 300_000}}),
        "unknown keys": document({"a": {f"k{n}": n for n in range(40_000)}}),
        "large schema": document(
            {"a": {}}, input_schema={"properties": {f"p{n}": {"type": "null"} for n in range(15_000)}}
        ),
        "wrong everywhere": {"steps": [1] * 1000, "edges": ["x"] * 4000, "params": [], "version": {}},
    }


@pytest.mark.parametrize("name", hostile())
def test_judges_the_largest_and_oddest_documents_quickly(name: str):
    started = time.process_time()
    result = validate(hostile()[name], stand_in_catalog())
    assert time.process_time() - started < 3
    assert len(result.findings) <= 501


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
NAME = st.sampled_from(["a", "b", "c", "", "true", "x y"])
TEXT = st.sampled_from(["input", "steps.b.output", "steps.zz", "{{ input.a }}", "{b}", "{{", "1 +", "else", "x == 1"])
VALUE = JSON | TEXT | NAME
TYPES = st.sampled_from([*stand_in_catalog(), "odd"]) | VALUE
CONFIG_KEYS = ("expression", "mapping", "branches", "items", "merge_strategy", "count", "true_branch", "url", "prompt")
CONFIG = st.fixed_dictionaries({}, optional=dict.fromkeys(CONFIG_KEYS, VALUE)) | VALUE
STEP = VALUE | st.fixed_dictionaries(
    {"step_id": NAME | VALUE, "type": TYPES},
    optional={"config": CONFIG, "ports": VALUE, "inputs": st.lists(NAME) | VALUE, "retry": VALUE, "position": VALUE},
)
EDGE = VALUE | st.fixed_dictionaries(
    {"from": NAME | VALUE, "to": NAME | VALUE},
    optional={"from_port": NAME | VALUE, "to_port": NAME | VALUE, "condition": TEXT | VALUE},
)
ODD = st.fixed_dictionaries(
    {"segment_id": NAME | VALUE, "steps": st.lists(STEP, max_size=5) | VALUE},
    optional={"edges": st.lists(EDGE, max_size=6) | VALUE, "entrypoint": VALUE, "params": VALUE, "input_schema": VALUE},
)


@settings(max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(ODD | JSON)
def test_any_json_gets_a_verdict(source: Any):
    result = validate(source, stand_in_catalog())
    assert result.valid == (not [one for one in result.findings if one.severity == "error"])
    for one in result.findings:
        assert one.message
        assert one.pointer == "" or one.pointer.startswith("/")
