"""Requirements of a run on its host: step types, and providers of the language models its steps ask."""

from runs.models import Run
from runs.providers.registry import is_provider_offer, provider_offer
from runs.steps.registry import step_type_offer
from segments.models import Revision
from tenants.connections.selectors import providers_of


def requirements_of(revision: Revision) -> list[str]:
    """Name what a host must have, as hosts name what they have.

    A model that a template names, and one that has others to stand in for it, is not counted. Reads the connections of
    the tenant in scope, where a step names one.
    """
    types = {step_type_offer(type_id, facts["version"]) for type_id, facts in revision.step_types.items()}
    return sorted(types | _providers(revision))


def current_requirements_of(run: Run) -> list[str]:
    """Name what a run needs when it goes on or is replayed: its connections may name other providers by now."""
    types = {name for name in run.step_types if not is_provider_offer(name)}
    return sorted(types | _providers(run.revision))


def _providers(revision: Revision) -> set[str]:
    refs = {ref for facts in revision.step_types.values() for ref in facts.get("models", ())}
    return {provider_offer(name) for name in providers_of(refs)} if refs else set()
