"""JSON Schemas (2020-12) that others bring along: compiled once, applied within bounds, fetching nothing.

``violations_in`` and ``violations_in_async`` list the places where a value does not fit a schema: in place where
that takes milliseconds, else in the compute pool. ``quick_violations`` gives None where that would take longer.
"""

from kernel.schemas.compiled import SchemaUnusable, compiled, is_linear_pattern
from kernel.schemas.faults import TYPES, SchemaFault, schema_faults
from kernel.schemas.validation import judging, violations_in, violations_in_async
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
    "judging",
    "keywords_of",
    "quick_violations",
    "schema_faults",
    "violations_in",
    "violations_in_async",
]
