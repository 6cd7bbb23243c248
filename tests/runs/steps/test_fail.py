"""A fail step ends its run with a code and a message of its author's, wherever it stands."""

import ast
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runs.step_api.base import StepFailed
from runs.steps.fail import FailRun
from runs.steps.platform_codes import is_platform_code
from runs.steps.registry import registry
from segments.definition.config import ConfigInvalid
from segments.validation import validate
from tests.support.core_runs import run_in_core
from tests.support.stand_in_catalog import document
from tests.support.step_calls import make_call

ROOT = Path(__file__).parents[3]


async def failure_of(value: Any = None, **config: Any) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await FailRun().run(make_call(FailRun(), config, {"input": value}))
    assert not caught.value.retryable
    return caught.value


def findings(**config: Any) -> list[tuple[str, str]]:
    found = validate(document({"stop:fail": config}), registry().catalog).findings
    return [(one.pointer, one.message) for one in found if one.severity == "error"]


async def test_says_what_its_author_wrote():
    found = await failure_of(
        {"id": 7, "codes": ["A_1"]},
        code="{{ input.codes[0] }}",
        message="Order {{ input.id }} was refused.",
        details={"order": "{{ input }}"},
    )
    assert (found.code, found.message) == ("A_1", "Order 7 was refused.")
    assert found.details == {"order": {"id": 7, "codes": ["A_1"]}}


async def test_has_a_message_where_its_author_wrote_none():
    assert (await failure_of(code="STOP")).message == "The step step ended the run."
    assert (await failure_of({"n": 12}, code="STOP", message="{{ input.n }}")).message == "12"


@pytest.mark.parametrize("code", ["refused", "ORDER-REFUSED", "9LIVES", "", "A" * 65, "RUN_TIMED_OUT", "BRANCH_FAILED"])
async def test_refuses_a_code_that_is_none_or_the_platforms_when_saved_and_when_filled_in(code: str):
    assert findings(code="ORDER_REFUSED") == []
    ((pointer, _),) = findings(code=code)
    assert pointer == "/steps/0/config/code"
    assert findings(code="{{ input }}") == []
    assert (await failure_of("ORDER_REFUSED", code="{{ input }}")).code == "ORDER_REFUSED"
    with pytest.raises(ConfigInvalid, match="code"):
        make_call(FailRun(), {"code": "{{ input }}"}, {"input": code})


def test_the_sentence_says_that_a_code_is_the_platforms():
    ((_, message),) = findings(code="HTTP_STATUS")
    assert "HTTP_STATUS is a code the platform gives itself" in message


async def test_bounds_its_details():
    assert (await failure_of(code="STOP", details={"text": "x" * 16_000})).code == "STOP"
    assert (await failure_of(code="STOP", details={"text": "x" * 17_000})).code == "VALUE_TOO_LARGE"


def test_nothing_may_leave_it():
    steps: dict[str, Any] = {"a": {}, "stop:fail": {"code": "STOP"}, "b": {}}
    assert validate(document(steps, ["a -> stop", "a -> b"]), registry().catalog).valid
    for port in ("", ".output", ".error"):
        found = validate(document(steps, ["a -> stop", f"stop{port} -> b"]), registry().catalog).findings
        (error,) = (one for one in found if one.severity == "error")
        assert (error.code, error.pointer) == ("UNKNOWN_PORT", "/edges/1")
        assert "it ends the run" in error.message


@pytest.mark.parametrize("strategy", ["all", "any", "first"])
def test_in_a_branch_it_fails_the_run_and_no_join_takes_it(strategy: str):
    """A join could only take the failure of a token that still comes to it; from a fail step no edge leads there."""
    steps: dict[str, Any] = {
        "split:parallel_split": {},
        "check": {"expression": "input"},
        "stop:fail": {"code": "STOP", "message": "Enough."},
        "other": {"expression": "input"},
        "join:parallel_join": {"merge_strategy": strategy},
        "after": {"expression": "input"},
    }
    edges = [
        "split.branch_1 -> check",
        "check.output -> stop ? output == 'bad'",
        "check.output -> join ? else",
        "split.branch_2 -> other",
        "other -> join",
        "join -> after",
    ]
    good = run_in_core(document(steps, edges), registry(), "good", Random(1))
    assert good.state.failure is None
    late = "check" if strategy != "all" else "other"
    bad = run_in_core(document(steps, edges), registry(), "bad", LastOf(late))
    if strategy == "all":
        assert bad.state.failure is not None
        assert (bad.state.failure["code"], bad.state.failure["step_id"]) == ("STOP", "stop")
        assert "after" not in bad.state.counts
    else:
        assert bad.state.failure is None, "the join was decided first and cancelled the branch"


class LastOf(Random):
    """Has one step finish after all others."""

    def __init__(self, step_id: str) -> None:
        super().__init__()
        self.step_id = step_id

    def choice(self, live: Any) -> Any:
        return next((one for one in live if one.step_id != self.step_id), live[0])


def test_every_code_that_the_platform_gives_is_reserved():
    given = set()
    for app in ("runs", "humantasks", "segments"):
        for path in (ROOT / app).rglob("*.py"):
            given |= codes_in(ast.parse(path.read_text()))
    assert {"STEP_CRASHED", "RUN_TIMED_OUT", "LLM_MODEL_MISSING", "ITEMS_TOO_MANY"} <= given
    assert [code for code in sorted(given) if not is_platform_code(code)] == []


def codes_in(tree: ast.AST) -> set[str]:
    """The texts that failures are made with: the first argument of ``StepFailed`` and ``run_error``."""
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name | ast.Attribute)
        and (call.func.id if isinstance(call.func, ast.Name) else call.func.attr) in {"StepFailed", "run_error"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
