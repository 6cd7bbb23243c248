"""The rule about ``input_schema`` and ``output_schema``: each must be a schema that can be applied safely."""

from segments.definition.findings import FindingPlace
from segments.definition.foreign_schemas import schema_problems
from segments.validation.context import Context


def check_run_schemas(context: Context) -> None:
    """SCHEMA_VIOLATION, TOO_LARGE and NOT_AVAILABLE: a JSON Schema that neither reaches out nor runs away."""
    segment = context.segment
    for name, schema in (("input_schema", segment.input_schema), ("output_schema", segment.output_schema)):
        for problem in schema_problems(schema, name=name) if schema is not None else ():
            place = FindingPlace((name,)).at(*problem.path)
            context.findings.error(problem.code, problem.message, place, hint=problem.hint)
