import json
from pathlib import Path
from typing import Any

import pytest

from segments.definition import read_segment
from segments.validation import validate
from tests.support.stand_in_catalog import stand_in_catalog

CASES = json.loads((Path(__file__).parents[1] / "cases" / "contract.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_each_case_gets_its_verdict(case: dict[str, Any]):
    result = validate(case["segment"], stand_in_catalog())
    found = [{"severity": one.severity, "code": one.code, "pointer": one.pointer} for one in result.findings]
    assert found == case["findings"]
    repaired = any(
        one["severity"] == "info" and one["code"] not in {"NOT_REPEATED", "TOOL_MAY_REPEAT"} for one in found
    )
    assert case["verdict"] == (("repaired" if repaired else "accepted") if result.valid else "refused")


@pytest.mark.parametrize("case", [case for case in CASES if case["verdict"] != "refused"], ids=lambda case: case["id"])
def test_what_is_accepted_is_written_in_the_canonical_spelling(case: dict[str, Any]):
    segment = validate(case["segment"], stand_in_catalog()).segment
    assert segment is not None
    again = read_segment(segment.to_dict())
    assert again.segment == segment
    assert {one.code for one in again.findings} <= {"UNKNOWN_FIELD"}
