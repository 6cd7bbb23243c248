"""The rule about ``input_schema`` and ``output_schema``: each must be a schema that can be applied safely."""

from segments.definition.findings import FindingPlace
from segments.definition.foreign_schemas import ignored_keywords, schema_problems
from segments.validation.context import Context


def check_run_schemas(context: Context) -> None:
    """SCHEMA_VIOLATION, TOO_LARGE, NOT_AVAILABLE, KEYWORD_IGNORED: schemas that neither reach out nor run away."""
    segment = context.segment
    for name, schema in (("input_schema", segment.input_schema), ("output_schema", segment.output_schema)):
        place = FindingPlace((name,))
        problems = [] if schema is None else [*schema_problems(schema, name=name)]
        for problem in problems:
            context.findings.error(problem.code, problem.message, place.at(*problem.path), hint=problem.hint)
        for ignored in () if problems else ignored_keywords(schema):
            context.findings.warning(ignored.code, ignored.message, place.at(*ignored.path), hint=ignored.hint)
