"""JSON Schemas (2020-12) that others bring along: compiled once, applied within bounds, fetching nothing.

``judge`` and ``judge_async`` tell where a value does not fit a schema: in place where that takes milliseconds at most,
else in the compute pool. ``quick_misfits`` tells it where that takes milliseconds, else that it would not.
"""

from kernel.schemas.compiled import SchemaUnusable, compiled, is_linear_pattern
from kernel.schemas.faults import TYPES, SchemaFault, schema_faults
from kernel.schemas.judging import judge, judge_async
from kernel.schemas.misfits import MAX_MISFITS, Misfit, quick_misfits
from kernel.schemas.weight import LOCAL_REFERENCE, PATTERNS, UNEVALUATED, Keyword, keywords_of

__all__ = [
    "LOCAL_REFERENCE",
    "MAX_MISFITS",
    "PATTERNS",
    "TYPES",
    "UNEVALUATED",
    "Keyword",
    "Misfit",
    "SchemaFault",
    "SchemaUnusable",
    "compiled",
    "is_linear_pattern",
    "judge",
    "judge_async",
    "keywords_of",
    "quick_misfits",
    "schema_faults",
]
