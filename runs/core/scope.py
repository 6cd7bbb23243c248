"""Scope of an expression: the names it may use inside an activation."""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, Final, cast

from kernel.types import Json
from runs.core.call_places import place_of
from runs.core.state import Activation, State, Token, input_values, step_facts
from segments.expressions import Draws, written_time

_STEPS = re.compile(r"steps\b(?:\s*\.\s*(\w+)|\s*\[\s*\\?[\"'](\w+)\\?[\"']\s*\]|\s*,\s*\\?[\"'](\w+))?")
"""``steps`` in the text of expressions, and the step that is named behind it, if one is in plain sight."""

CONDITIONS: Final = "conditions"
"""The piece of work that decides where a step's output leads."""


class Scope(Mapping[str, Json]):
    """Names of one activation, computed when asked for; the keys of an object input come last.

    ``works`` counts the pieces of work of one attempt, which draw from clock and chance each for themselves.
    ``resume_url`` writes the link of a step and a place; without it there is no ``steps.<id>.resume_url``.
    """

    def __init__(
        self,
        state: State,
        token: Token,
        activation: Activation | None = None,
        *,
        resume_url: Callable[[str, str], str] | None = None,
    ) -> None:
        self._resume_url = resume_url
        self._state = state
        self._token = token
        self._activation = activation
        self.works = 0
        self.inputs = input_values(state, token.inputs)

    @property
    def run_id(self) -> str:
        """The run's id, as text."""
        return self._state.facts.run_id

    @property
    def input(self) -> Json:
        """The value of the one connected input port, or the object of all."""
        if len(self.inputs) == 1:
            return next(iter(self.inputs.values()))
        return dict(self.inputs)

    def __getitem__(self, name: str) -> Json:
        if name in _RESERVED:
            return self._reserved_value(name)
        if name in self.inputs:
            return self.inputs[name]
        value = self.input
        if isinstance(value, dict):
            return value[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        value = self.input
        names = [*_ALWAYS_RESERVED, *self.inputs]
        if self._item_frame() is not None:
            names.extend(("item", "index"))
        if isinstance(value, dict):
            names.extend(value)
        return iter(dict.fromkeys(names))

    def __len__(self) -> int:
        return sum(1 for _name in self)

    def reserves(self, name: str) -> bool:
        """Tell whether a name means the same whatever the data has under it."""
        return name in _ALWAYS_RESERVED or (name in _RESERVED and self._item_frame() is not None)

    def _reserved_value(self, name: str) -> Json:
        if name == "input":
            return self.input
        if name == "inputs":
            return dict(self.inputs)
        if name == "run":
            return self._run()
        if name == "steps":
            return self._steps()
        if name == "tenant":
            return self._tenant()
        return self._item(name)

    def _item(self, name: str) -> Json:
        found = self._item_frame()
        if found is None:
            value = self.inputs if name in self.inputs else self.input
            if isinstance(value, Mapping):
                return value[name]
            raise KeyError(name)
        return found[1] if name == "index" else self._item_at(*found)

    def carried(self, text: str) -> dict[str, Json]:
        """Give what ``CarriedScope`` needs to mean the same names to the expressions in a text, as plain JSON.

        Of other steps only those the text names are carried, or all where it may mean any.
        """
        facts: dict[str, Json] = {"inputs": self.inputs}
        if "run" in text:
            facts["run"] = self._run()
        if "tenant" in text:
            facts["tenant"] = self._tenant()
        if "steps" in text:
            facts["steps"] = self._steps(_named_steps(text))
        found = self._item_frame()
        if found is not None:
            facts["item"] = [self._item_at(*found), found[1]]
        return facts

    def draws(self, work: str) -> Draws | None:
        """Say what the next piece of work may draw: the same in every attempt, by whatever host.

        Conditions of edges draw for themselves, however often what is before them was tried.
        """
        activation = self._activation
        if activation is None:
            return None
        self.works += 1
        part = work if work == CONDITIONS else self.works
        seed = (self._state.facts.run_id, activation.step_id, activation.activation, part)
        return Draws(round(activation.began_at, 6), seed)

    def _run(self) -> dict[str, Json]:
        facts = self._state.facts
        attempt = None if self._activation is None else self._activation.attempt
        started_at = written_time(facts.started_at)
        return {"input": self._state.run_input, "id": facts.run_id, "started_at": started_at, "attempt": attempt}

    def _tenant(self) -> dict[str, Json]:
        return {"slug": self._state.facts.tenant}

    def _steps(self, named: Container[str] | None = None) -> dict[str, Json]:
        """The steps upstream by id, and those that may be called; with some named, the others are empty."""
        steps: dict[str, dict[str, Json]] = {
            step_id: self._step(step_id, seq) if named is None or step_id in named else {}
            for step_id, seq in self._token.past.lineage.items()
        }
        for step_id in self._state.plan.called if self._resume_url is not None else ():
            if named is None or step_id in named:
                steps.setdefault(step_id, {})["resume_url"] = self.resume_url(step_id)
        return dict(steps)

    def resume_url(self, step_id: str) -> str:
        """Give the link by which a step's next activation is called, or the present one of this activation's own.

        Raises:
            LookupError: Nobody said how links are written.
        """
        if self._resume_url is None:
            raise LookupError("nobody said how links are written")
        return self._resume_url(step_id, place_of(self._token, step_id))

    def _step(self, step_id: str, seq: int) -> dict[str, Json]:
        """Return what a step gave last, and why it failed if it has since then and an edge took the failure."""
        state = self._state
        step = state.plan.steps[step_id]
        if seq not in state.routed_failures:
            return step_facts(step, state.values[seq])
        before, error = state.routed_failures[seq], state.values[seq]["error"]
        return {"error": error} if before is None else {**step_facts(step, state.values[before]), "error": error}

    def _item_at(self, seq: int, index: int) -> Json:
        return self._state.items[seq][index]

    def _item_frame(self) -> tuple[int, int] | None:
        """The innermost item this activation belongs to: the split's event, and its number."""
        for frame in self._token.stack.downwards():
            if frame.item is not None:
                return frame.seq, frame.item
        return None


class CarriedScope(Scope):
    """The names of an activation of another process, as ``Scope.carried`` gave them."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.works = 0
        self.inputs = facts["inputs"]
        self._facts = facts

    def _run(self) -> dict[str, Json]:
        return cast("dict[str, Json]", self._facts["run"])

    def _tenant(self) -> dict[str, Json]:
        return cast("dict[str, Json]", self._facts["tenant"])

    def _steps(self, named: Container[str] | None = None) -> dict[str, Json]:
        return cast("dict[str, Json]", self._facts["steps"])

    def _item_at(self, seq: int, index: int) -> Json:
        return cast("Json", self._facts["item"][0])

    def _item_frame(self) -> tuple[int, int] | None:
        return (0, self._facts["item"][1]) if "item" in self._facts else None


class EdgeScope(Mapping[str, Json]):
    """The names of the activation an edge leaves, and ``output``: the value of the port the edge leaves by.

    Keys of that value are names too, before the ports of the step and the keys of its input.

    ``own`` is what that step has just emitted, as ``steps.<id>`` has it for the steps after it.
    """

    def __init__(self, scope: Scope, output: Json, own: Mapping[str, Json]) -> None:
        self._scope = scope
        self._output = output
        self._own = own

    def __getitem__(self, name: str) -> Json:
        output = self._output
        if name == "output":
            return output
        if isinstance(output, dict) and name in output and not self._scope.reserves(name):
            return output[name]
        value = self._scope[name]
        return {**value, **self._own} if name == "steps" and isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        keys = self._output if isinstance(self._output, dict) else ()
        return iter(dict.fromkeys(["output", *keys, *self._scope]))

    def __len__(self) -> int:
        return sum(1 for _name in self)


_ALWAYS_RESERVED = ("input", "inputs", "run", "steps", "tenant")
_RESERVED = frozenset({*_ALWAYS_RESERVED, "item", "index"})


def _named_steps(text: str) -> frozenset[str] | None:
    """The steps that the expressions in a text name, and perhaps more; None where they may mean any."""
    named = [next(filter(None, found), "") for found in _STEPS.findall(text)]
    return None if "" in named else frozenset(named)
