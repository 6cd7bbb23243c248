"""The rule about ``input_schema``: it must be a schema that can be applied safely."""

from segments.definition.findings import Place
from segments.definition.foreign_schemas import schema_problems
from segments.validation.context import Context


def check_input_schema(context: Context) -> None:
    """SCHEMA_VIOLATION, TOO_LARGE and NOT_AVAILABLE: a JSON Schema that neither reaches out nor runs away."""
    schema = context.segment.input_schema
    place = Place(("input_schema",))
    for problem in schema_problems(schema, name="input_schema") if schema is not None else ():
        context.findings.error(problem.code, problem.message, place.at(*problem.path), hint=problem.hint)
