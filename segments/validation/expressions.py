"""Rules about expressions and templates: they can be read, and the steps they name can have run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kernel.errors import LlmteamError
from kernel.values import dump_json, parse_json
from segments.definition.config import ConfigText, TextKind, config_texts
from segments.definition.findings import FindingPlace, shown
from segments.expressions import Expression, ExpressionSyntaxError, Template, foreign_marks, parse, parse_template
from segments.validation.context import Context

MAX_TEXTS = 20_000
MAX_ALTERNATIVES = 200
"""Each is a walk through the graph; of further ones nothing is said."""
_FIELD: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_ADDRESSES: Final = frozenset((TextKind.PATH, TextKind.URL))
"""Of which ``check_addresses`` tells."""
_QUOTED: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_STAND_IN: Final = "7104981263"
"""A number that stands for each template's value, inside strings and outside."""


@dataclass(frozen=True, slots=True)
class _Use:
    """An expression, where it stands, and the step it belongs to; ``is_edge`` when that step's output is known."""

    expression: Expression
    place: FindingPlace
    step_id: str
    is_edge: bool


def check_expressions(context: Context) -> None:
    """EXPRESSION_SYNTAX, NOT_UPSTREAM, MAY_NOT_HAVE_RUN, NO_RESUME_URL, SINGLE_BRACE_TEMPLATE: in configs, on edges."""
    asked: set[tuple[str, ...]] = set()
    for use in (*_in_configs(context), *_on_edges(context)):
        for step_id in sorted(use.expression.called_steps):
            _check_call(context, use, step_id)
        for step_id in sorted(use.expression.steps):
            _check_reference(context, use, step_id)
        for group in sorted(map(sorted, use.expression.needed_alternatives)):
            if (use.step_id, *group) not in asked and len(asked) < MAX_ALTERNATIVES:
                asked.add((use.step_id, *group))
                _check_alternatives(context, use, group)


def _in_configs(context: Context) -> Iterator[_Use]:
    texts = 0  # a brace may open an expression, so it counts as one
    for step_id, step_type in context.step_types.items():
        step, place = context.steps[step_id], context.places[step_id].at("config")
        for found in config_texts(step_type, step.config):
            texts += 1 + (0 if found.kind is TextKind.EXPRESSION else found.text.count("{"))
            if texts > MAX_TEXTS:
                message = f"A segment has at most {MAX_TEXTS} expressions and templates; further ones were not read."
                context.findings.error("TOO_LARGE", message, place)
                return
            for expression in _read(context, found, place.at(*found.path)):
                yield _Use(expression, place.at(*found.path), step_id, is_edge=False)


def _read(context: Context, found: ConfigText, place: FindingPlace) -> tuple[Expression, ...]:
    if found.kind is TextKind.EXPRESSION:
        expression = _parsed(context, found.text, place)
        return () if expression is None else (expression,)
    if "{" not in found.text and "<%" not in found.text:
        return ()
    is_prompt = found.kind is TextKind.PROMPT
    try:
        template: Template = parse_template(found.text, single_braces=is_prompt)
    except ExpressionSyntaxError as error:
        _report(context, error, place)
        return ()
    for name in dict.fromkeys(template.single_brace_names):
        message = f"'{{{name}}}' is read as '{{{{ {name} }}}}' where an input has that name."
        context.findings.info("SINGLE_BRACE_TEMPLATE", message, place, hint="write double braces")
    if found.kind not in _ADDRESSES:
        for mark, hint in foreign_marks(template, is_prompt=is_prompt):
            message = f"Sent unchanged: {shown(mark)}; a value is written {{{{ ... }}}}."
            context.findings.warning("FOREIGN_TEMPLATE", message, place, hint=hint)
    if template.expressions and not is_prompt and _is_json_with_templates_in_strings(found.text):
        message = "The text is JSON with a template inside a string; a value with a quote or a line break breaks it."
        hint = "write the JSON itself, not as a text; or `{{ json(value) }}` without quotes around it"
        context.findings.warning("TEMPLATE_IN_JSON_TEXT", message, place, hint=hint)
    return template.expressions


def _is_json_with_templates_in_strings(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        parsed = parse_json(_FIELD.sub(_STAND_IN, text))
    except LlmteamError:
        return False
    strings = _QUOTED.findall(dump_json(parsed))
    return any(_STAND_IN in string for string in strings)


def _on_edges(context: Context) -> Iterator[_Use]:
    for link in context.links:
        condition = link.edge.condition
        if condition is None or link.is_else:
            continue
        place = link.place.at("condition")
        expression = _parsed(context, condition, place)
        if expression is not None:
            yield _Use(expression, place, link.edge.source, is_edge=True)


def _parsed(context: Context, text: str, place: FindingPlace) -> Expression | None:
    try:
        return parse(text)
    except ExpressionSyntaxError as error:
        _report(context, error, place)
        return None


def _report(context: Context, error: ExpressionSyntaxError, place: FindingPlace) -> None:
    where = "" if error.position is None else f" (at position {error.position})"
    context.findings.error("EXPRESSION_SYNTAX", f"{error.message}{where}", place, hint=error.hint)


def _check_call(context: Context, use: _Use, step_id: str) -> None:
    """Look whether a step whose link is named waits for a call, and still does when the link is known."""
    if not _exists(context, use, step_id):
        return
    step_type = context.step_types.get(step_id)
    if step_type is not None and not step_type.waits_for_call(context.steps[step_id].config):
        message = f"The step {shown(step_id)} does not wait for a call, so it has no `resume_url`."
        context.findings.error("NO_RESUME_URL", message, use.place, hint="a step of the type wait with `call` does")
    graph = context.graph
    if graph and graph.reaches(step_id, use.step_id) and not graph.reaches(use.step_id, step_id):
        message = f"{shown(step_id)} no longer waits when {shown(use.step_id)} uses its link."
        context.findings.warning(
            "NO_RESUME_URL", message, use.place, hint="use it in a step before it or parallel to it"
        )


def _check_alternatives(context: Context, use: _Use, group: list[str]) -> None:
    """Look whether one of several steps has run in any case, where one is enough."""
    graph = context.graph
    if graph is None or use.step_id not in graph.reachable or not all(one in context.steps for one in group):
        return
    if (use.is_edge and use.step_id in group) or graph.passes_one_of({*group}, use.step_id):
        return
    named = ", ".join(shown(one) for one in group)
    message = f"None of the steps {named} may have run when {shown(use.step_id)} needs one."
    context.findings.warning("MAY_NOT_HAVE_RUN", message, use.place, hint="end the alternatives with `?? null`")


def _exists(context: Context, use: _Use, step_id: str) -> bool:
    if step_id not in context.steps:
        hint = context.findings.suggest(step_id, context.steps)
        context.findings.error("NOT_UPSTREAM", f"There is no step {shown(step_id)}.", use.place, hint=hint)
    return step_id in context.steps


def _check_reference(context: Context, use: _Use, step_id: str) -> None:
    if not _exists(context, use, step_id):
        return
    graph = context.graph
    if graph is None or use.step_id not in graph.reachable or (use.is_edge and step_id == use.step_id):
        return
    if not graph.reaches(step_id, use.step_id):
        message = f"The step {shown(step_id)} cannot have run before {shown(use.step_id)}."
        context.findings.error("NOT_UPSTREAM", message, use.place)
    elif step_id in use.expression.needed_steps and not context.dominates(step_id, use.step_id):
        message = f"The step {shown(step_id)} may not have run when {shown(use.step_id)} needs it."
        hint = f"get(steps, '{step_id}.output', null) gives null then"
        context.findings.warning("MAY_NOT_HAVE_RUN", message, use.place, hint=hint)
