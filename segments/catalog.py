"""The step catalog: the card of each step type, its config schema, its role in a graph."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from kernel.types import Json

CATALOG_VERSION = "1.0"
ERROR_PORT = "error"
CATEGORIES = ("ai", "data", "integration", "control", "human", "utility")


class Effect(StrEnum):
    """Effects of an attempt outside the run."""

    PURE = "pure"
    EXTERNAL = "external"


class Role(StrEnum):
    """Role of a step type in the graph; every role but TASK has rules of its own in the core."""

    TASK = "task"
    CONDITION = "condition"
    SPLIT = "split"
    JOIN = "join"
    END = "end"
    """Always fails; nothing leaves it, so that its failure is the run's."""


class ExpressionText:
    """Marks a config field (``Annotated[str, ExpressionText()]``) whose text is one expression, not a template."""


class PromptText:
    """Marks a config field whose template also reads ``{name}`` with single braces, and always gives text."""


@dataclass(frozen=True, slots=True)
class PathText:
    """Marks a config field that is a path: each value a template puts into it is escaped as one segment.

    ``places`` is what its step type reads in it beside templates, such as `{name}` for an argument.
    """

    places: re.Pattern[str] | None = None


class UrlText:
    """Marks a config field that is a URL; values as in a path, but for one at its very beginning."""


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """Marks a config field that names a connection of the tenant: ``llm`` or ``http``; one that models may call."""

    kind: Literal["llm", "http"]
    for_tools: bool = False


class StoredPromptRef:
    """Marks a config field that names a stored prompt, ``name`` or ``name@version``; its text may name any step."""


class AssigneeRef:
    """Marks a config field that names whom people are asked by: a group, a member's e-mail, a member's id."""


@dataclass(frozen=True, slots=True)
class PortRef:
    """Marks a config field that names an output port of its own step, or one of ``words``."""

    words: tuple[str, ...] = ()


OnCircuitOpen = Literal["wait", "fail"]
ON_CIRCUIT_OPEN: Final = (
    "While the circuit to what the step calls is open: `wait`, or `fail` with CIRCUIT_OPEN; "
    "without it a step fails whose error port has an edge, and others wait"
)


HELD_BY_ANY_VALUE: Final = "held_by_any_value"
"""Type of a validator's error about a text with templates that no value of these mends: told before a run."""


class StepConfig(BaseModel):
    """Base of every step type's config. Unknown keys are kept, so that a segment survives a round trip."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ConfigSchema(GenerateJsonSchema):
    """Writes a config's schema as canvases know it: an optional key has its plain type, and no default of null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Write the type without its null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Write a default only when there is one."""
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave titles out: they would repeat the key."""
        return False


@dataclass(frozen=True, slots=True)
class Port:
    """One port on a card.

    ``stands_in``: an output by which a value leaves in place of what the other ports have, as an error does.
    ``is_fact``: an output that expressions read as ``steps.<id>.<name>``, without an edge from it.
    ``takes_any``: an input whose type is what editors suggest; any value is taken.
    """

    name: str
    type: str = "any"
    description: str = ""
    required: bool = True
    default: Json = None
    schema: Mapping[str, Json] | None = None
    stands_in: bool = False
    is_fact: bool = False
    takes_any: bool = False

    def to_dict(self) -> dict[str, Json]:
        """Write the port as the catalog shows it: ``default`` and ``schema`` only when set."""
        shown: dict[str, Json] = {
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "required": self.required,
        }
        if self.default is not None:
            shown["default"] = self.default
        if self.schema is not None:
            shown["schema"] = dict(self.schema)
        return shown


def no_ports(config: Mapping[str, Json]) -> tuple[str, ...]:
    """Name no port, as for most types."""
    return ()


def no_call(config: Mapping[str, Json]) -> bool:
    """Wait for no call, as most types."""
    return False


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a valid config that will surprise its author, at a place inside the config."""

    code: str
    message: str
    path: tuple[str | int, ...]
    hint: str | None = None


def no_port_types(config: Mapping[str, Json]) -> Mapping[str, tuple[str, ...]]:
    """Leave the types as the card has them, as most types."""
    return {}


def no_remarks(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Have nothing to say, as most types."""
    return ()


def repeats_all(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Leave no call unrepeated, as most types."""
    return ()


@dataclass(frozen=True, slots=True)
class StepType:
    """A step type without its handler: what a canvas draws and what validation and the plan need to know.

    ``emits_one_port`` is true where a success leaves by exactly one of several ports, as a decision does.
    ``config_ports`` names the ports a step has by its config, beside its card's, where it declares or uses them;
    ``waits_for_call`` tells by it whether a step has a ``resume_url``; ``port_types`` which types of values a port may
    have beside the card's; ``remarks`` what will surprise about a config that is valid, as warnings; ``unrepeated``
    which calls are not made again when their answer did not come, as infos, unless the step is tried once or the
    connection named beside the remark's path says that its server honours idempotency keys.
    """

    type_id: str
    display_name: str
    description: str
    category: str
    icon: str
    color: str
    config: type[StepConfig]
    input_ports: tuple[Port, ...]
    output_ports: tuple[Port, ...]
    version: str = "1.0"
    effect: Effect = Effect.EXTERNAL
    role: Role = Role.TASK
    emits_one_port: bool = False
    supports_parallel: bool = False
    supports_retry: bool = True
    supports_timeout: bool = True
    config_ports: Callable[[Mapping[str, Json]], tuple[str, ...]] = no_ports
    waits_for_call: Callable[[Mapping[str, Json]], bool] = no_call
    port_types: Callable[[Mapping[str, Json]], Mapping[str, tuple[str, ...]]] = no_port_types
    remarks: Callable[[Mapping[str, Json]], tuple["Remark", ...]] = no_remarks
    unrepeated: Callable[[Mapping[str, Json]], tuple[Remark, ...]] = repeats_all
    docs_url: str = ""
    examples: tuple[Mapping[str, Json], ...] = field(default=())

    @property
    def primary_port(self) -> str:
        """The port that ``from_port: "output"`` means: the first listed; empty for a type that nothing leaves."""
        return self.output_ports[0].name if self.output_ports else ""

    @property
    def data_ports(self) -> tuple[str, ...]:
        """The ports a success leaves by."""
        return tuple(port.name for port in self.output_ports if port.name not in self.stand_ins)

    @property
    def fact_ports(self) -> tuple[str, ...]:
        """The outputs that expressions read as ``steps.<id>.<name>``."""
        return tuple(port.name for port in self.output_ports if port.is_fact)

    @property
    def stand_ins(self) -> frozenset[str]:
        """The ports that no other fires beside: the error's, and those that say so."""
        return frozenset({ERROR_PORT, *(port.name for port in self.output_ports if port.stands_in)})

    @property
    def decides(self) -> bool:
        """Whether edges from different ports never fire together."""
        return self.emits_one_port or self.role is Role.CONDITION

    def card(self) -> dict[str, Any]:
        """Write the card, with exactly the keys of the public contract."""
        schema = self.config.model_json_schema(schema_generator=ConfigSchema)
        return {
            "type_id": self.type_id,
            "version": self.version,
            "display_name": self.display_name,
            "description": self.description,
            "category": self.category,
            "icon": self.icon,
            "color": self.color,
            "config_schema": {key: value for key, value in schema.items() if key not in {"title", "description"}},
            "input_ports": [port.to_dict() for port in self.input_ports],
            "output_ports": [port.to_dict() for port in self.output_ports],
            "supports_retry": self.supports_retry,
            "supports_timeout": self.supports_timeout,
            "supports_parallel": self.supports_parallel,
            "is_async": True,
            "docs_url": self.docs_url,
            "examples": [dict(example) for example in self.examples],
        }


class Catalog(Mapping[str, StepType]):
    """The step types a segment may use, by type id, in the order they are shown."""

    version: ClassVar[str] = CATALOG_VERSION

    def __init__(self, step_types: Mapping[str, StepType]) -> None:
        self._step_types = dict(step_types)

    def __getitem__(self, type_id: str) -> StepType:
        return self._step_types[type_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._step_types)

    def __len__(self) -> int:
        return len(self._step_types)

    def export_for_ui(self) -> dict[str, Any]:
        """Write the whole catalog as canvases read it."""
        return {
            "version": CATALOG_VERSION,
            "categories": list(CATEGORIES),
            "types": {type_id: step_type.card() for type_id, step_type in self._step_types.items()},
        }
