"""The names an expression may use inside an activation. Source: engine.md 6."""

from collections.abc import Iterator, Mapping

from kernel.values import Json
from runs.core.state import State, Token, input_values


class Scope(Mapping[str, Json]):
    """Names of one activation, computed when asked for; the keys of an object input come last."""

    def __init__(self, state: State, token: Token, *, run_id: str = "") -> None:
        self._state = state
        self._token = token
        self._run_id = run_id
        self.inputs = input_values(state, token.inputs)

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
        names = ["input", "inputs", "steps", "run", *self.inputs]
        if self._item_frame() is not None:
            names.extend(("item", "index"))
        if isinstance(value, dict):
            names.extend(value)
        return iter(dict.fromkeys(names))

    def __len__(self) -> int:
        return sum(1 for _name in self)

    def _reserved_value(self, name: str) -> Json:
        if name == "input":
            return self.input
        if name == "inputs":
            return dict(self.inputs)
        if name == "run":
            return {"input": self._state.run_input, "id": self._run_id}
        if name == "steps":
            return {
                step_id: {"output": self._state.output_of(step_id, seq)} for step_id, seq in self._token.lineage.items()
            }
        return self._item(name)

    def _item(self, name: str) -> Json:
        found = self._item_frame()
        if found is None:
            value = self.inputs if name in self.inputs else self.input
            if isinstance(value, Mapping):
                return value[name]
            raise KeyError(name)
        seq, index = found
        return index if name == "index" else self._state.items[seq][index]

    def _item_frame(self) -> tuple[int, int] | None:
        """The innermost item this activation belongs to: the split's event, and its number."""
        for frame in reversed(self._token.stack):
            if frame.item is not None:
                return frame.seq, frame.item
        return None


class EdgeScope(Mapping[str, Json]):
    """The names of the activation an edge leaves, and ``output``: the value of the port the edge leaves by.

    ``own`` is what that step has just emitted, as ``steps.<id>.output`` gives it to the steps after it.
    """

    def __init__(self, scope: Scope, output: Json, own: Mapping[str, Json]) -> None:
        self._scope = scope
        self._output = output
        self._own = own

    def __getitem__(self, name: str) -> Json:
        if name == "output":
            return self._output
        value = self._scope[name]
        return {**value, **self._own} if name == "steps" and isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(["output", *self._scope]))

    def __len__(self) -> int:
        return sum(1 for _name in self)


_RESERVED = frozenset({"input", "inputs", "run", "steps", "item", "index"})
