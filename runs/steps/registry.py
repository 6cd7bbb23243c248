"""Registry of step types and their handlers: ours, those of installed apps and packages, the program's."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from runs.providers.registry import provider_offers
from runs.step_api.base import StepHandler
from segments.catalog import ERROR_PORT, Catalog, Role, StepType

ENTRY_POINT_GROUP = "llmteam.steps"

BUILTIN = (
    "runs.steps.llm_agent.LlmAgent",
    "runs.steps.http_action.HttpAction",
    "runs.steps.condition.Condition",
    "runs.steps.parallel_split.ParallelSplit",
    "runs.steps.parallel_join.ParallelJoin",
    "runs.steps.transform.Transform",
    "runs.steps.wait.WaitStep",
    "runs.steps.fail.FailRun",
)

TAKEN_FACTS: Final = frozenset({"output", ERROR_PORT, "resume_url"})
"""Facts that expressions read of every step."""


class StepRegistry:
    """The step types of this process. Nothing is added after it is made.

    Attributes:
        catalog: Every type.
        offers: What can be executed here, step types and providers of language models, as workers and runs name it.
    """

    def __init__(self, step_types: Mapping[str, StepType], handlers: Mapping[str, StepHandler]) -> None:
        self.catalog = Catalog(step_types)
        self._handlers = dict(handlers)
        types = (step_type_offer(type_id, self.catalog[type_id].version) for type_id in handlers)
        self.offers = tuple(sorted({*types, *provider_offers()}))

    def handler(self, type_id: str) -> StepHandler:
        """Give the handler of a type.

        Raises:
            KeyError: There is no such type.
        """
        return self._handlers[type_id]


def step_type_offer(type_id: str, version: str) -> str:
    """Name a type as workers and runs do: with its major version, as what a later minor one does is the same."""
    return f"{type_id}@{version.partition('.')[0]}"


_of_program: Final[dict[str, object]] = {}


def register(handler: type[StepHandler]) -> None:
    """Add a step type of the program that runs here to the registry of this process.

    Raises:
        RuntimeError: The registry is made, which setting Django up does.
    """
    if registry.cache_info().currsize:
        raise RuntimeError("Step types are registered before Django is set up.")
    _of_program[f"{handler.__module__}.{handler.__qualname__}"] = handler


def installed_registry() -> StepRegistry:
    """Give the registry that the setting STEP_REGISTRY names, ``registry`` unless a program has its own."""
    found: StepRegistry = import_string(settings.STEP_REGISTRY)()
    return found


@cache
def registry() -> StepRegistry:
    """Give the registry of this process, made at first use.

    Raises:
        ImproperlyConfigured: A listed class is not there, is not a step type, or repeats a type id.
    """
    return build_registry(_listed())


def build_registry(classes: Mapping[str, object]) -> StepRegistry:
    """Make a registry of handler classes.

    Args:
        classes: By where each is listed, which errors name.

    Returns:
        The registry, in the order of the classes.

    Raises:
        ImproperlyConfigured: A class is not a step type, has no handler, or repeats a type id.
    """
    step_types: dict[str, StepType] = {}
    handlers: dict[str, StepHandler] = {}
    for place, listed in classes.items():
        step_type = _step_type(listed, place)
        if step_type.type_id in step_types:
            raise ImproperlyConfigured(f"{place} repeats the step type '{step_type.type_id}'.")
        step_types[step_type.type_id] = step_type
        handlers[step_type.type_id] = _handler(listed, place)
    return StepRegistry(step_types, handlers)


def _step_type(listed: object, place: str) -> StepType:
    step_type = getattr(listed, "step_type", None)
    if not isinstance(step_type, StepType):
        raise ImproperlyConfigured(f"{place} has no attribute 'step_type' with a StepType.")
    if not step_type.output_ports and step_type.role is not Role.END:
        raise ImproperlyConfigured(f"{place} has a step type without an output port.")
    if taken := TAKEN_FACTS.intersection(step_type.fact_ports):
        raise ImproperlyConfigured(f"{place} has a fact named '{min(taken)}', which steps.<id> has already.")
    return step_type


def _handler(listed: object, place: str) -> StepHandler:
    if inspect.isclass(listed) and issubclass(listed, StepHandler) and listed.run is not StepHandler.run:
        return listed()
    raise ImproperlyConfigured(f"{place} must be a subclass of StepHandler with a method 'run'.")


def _listed() -> dict[str, object]:
    found = {path: _import(path) for path in (*BUILTIN, *_of_apps())} | _of_program
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found[f"{ENTRY_POINT_GROUP}: {entry.name}"] = entry.load()
        except (ImportError, AttributeError) as error:
            raise ImproperlyConfigured(f"The step type '{entry.name}' ({entry.value}) cannot be loaded.") from error
    return found


def _of_apps() -> Iterator[str]:
    for app in apps.get_app_configs():
        yield from getattr(app, "step_types", ())


def _import(path: str) -> object:
    module, _, name = path.rpartition(".")
    try:
        listed: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ImproperlyConfigured(f"The step type '{path}' cannot be loaded.") from error
    return listed
