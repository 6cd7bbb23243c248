"""JSON Schemas (2020-12) that others bring along: compiled once, applied within bounds, fetching nothing.

``judge`` and ``judge_async`` tell where a value does not fit a schema: in place where that takes milliseconds at most,
else in the compute pool. ``quick_violations`` tells it where that takes milliseconds, else that it would not.
"""

from kernel.schemas.compiled import SchemaUnusable, compiled, is_linear_pattern
from kernel.schemas.faults import TYPES, SchemaFault, schema_faults
from kernel.schemas.judging import judge, judge_async
from kernel.schemas.violations import MAX_VIOLATIONS, Violation, quick_violations
from kernel.schemas.weight import LOCAL_REFERENCE, PATTERNS, UNEVALUATED, Keyword, keywords_of

__all__ = [
    "LOCAL_REFERENCE",
    "MAX_VIOLATIONS",
    "PATTERNS",
    "TYPES",
    "UNEVALUATED",
    "Keyword",
    "SchemaFault",
    "SchemaUnusable",
    "Violation",
    "compiled",
    "is_linear_pattern",
    "judge",
    "judge_async",
    "keywords_of",
    "quick_violations",
    "schema_faults",
]
