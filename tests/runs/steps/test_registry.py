from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from runs.step_api.base import Emit, StepCall, StepHandler
from runs.steps import registry as module
from runs.steps.registry import build_registry, registry
from runs.steps.transform import Transform
from segments.catalog import Port, StepType
from tests.support.step_types import Probe


class Unfinished(StepHandler):
    """A handler without a run."""

    step_type = Probe.step_type


class NoPorts(StepHandler):
    """A type nothing can leave."""

    step_type = StepType("x", "x", "x", "utility", "x", "#000000", Probe.step_type.config, (Port("input"),), ())

    async def run(self, call: StepCall) -> Emit:
        return Emit({})


class TakenFact(Probe):
    """A type with a fact named as what every step has."""

    step_type = replace(Probe.step_type, output_ports=(Port("output"), Port("error", is_fact=True)))


class NoType:
    """No step type at all."""


def test_has_the_seven_types_and_a_handler_for_each_card():
    known = registry()
    seven = {"llm_agent", "http_action", "human_task", "condition", "parallel_split", "parallel_join", "transform"}
    assert seven <= set(known.catalog)
    for type_id in known.catalog:
        assert known.handler(type_id).step_type is known.catalog[type_id]


def test_has_no_handler_for_what_is_unknown():
    with pytest.raises(KeyError):
        registry().handler("nothing")


def test_is_made_once():
    assert registry() is registry()


@pytest.mark.parametrize(
    ("listed", "sentence"),
    [
        ({"a": Probe, "b": Probe}, "b repeats the step type 'probe'"),
        ({"a": Unfinished}, "a must be a subclass of StepHandler with a method 'run'"),
        ({"a": NoPorts}, "a has a step type without an output port"),
        ({"a": TakenFact}, "a has a fact named 'error', which steps.<id> has already"),
        ({"a": NoType}, "a has no attribute 'step_type'"),
        ({"a": Probe()}, "a must be a subclass"),
    ],
)
def test_refuses_what_cannot_be_registered_in_a_sentence(listed: dict[str, Any], sentence: str):
    assert "probe" in build_registry({"a": Probe, "b": Transform}).catalog
    with pytest.raises(ImproperlyConfigured, match=sentence):
        build_registry(listed)


def listed_types() -> set[str]:
    return set(build_registry(module._listed()).catalog)


def test_finds_the_types_of_installed_apps(monkeypatch: pytest.MonkeyPatch):
    assert "probe" not in listed_types()
    app = apps.get_app_config("audit")
    monkeypatch.setattr(app, "step_types", ("tests.support.step_types.Probe",), raising=False)
    assert "probe" in listed_types()
    monkeypatch.setattr(app, "step_types", ("tests.support.step_types.Missing",))
    with pytest.raises(ImproperlyConfigured, match="Missing' cannot be loaded"):
        listed_types()


@pytest.mark.parametrize("value", ["tests.support.step_types:Missing", "tests.support.no_such_module:Probe"])
def test_finds_the_types_of_installed_packages(monkeypatch: pytest.MonkeyPatch, value: str):
    def found(value: str) -> tuple[EntryPoint, ...]:
        return (EntryPoint("probe", value, module.ENTRY_POINT_GROUP),)

    monkeypatch.setattr(module, "entry_points", lambda group: found("tests.support.step_types:Probe"))
    assert "probe" in listed_types()
    monkeypatch.setattr(module, "entry_points", lambda group: found(value))
    with pytest.raises(ImproperlyConfigured, match=r"'probe' \(.*\) cannot be loaded"):
        listed_types()
