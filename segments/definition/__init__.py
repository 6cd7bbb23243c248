"""The contract: what a canvas writes, read leniently and written back strictly. Pure."""

from segments.definition.findings import Finding, Severity
from segments.definition.model import (
    MAX_EDGES,
    MAX_STEPS,
    Edge,
    Params,
    Ports,
    Retry,
    SegmentDefinition,
    Step,
    content_hash,
)
from segments.definition.reading import SegmentReading, read_segment
from segments.definition.schema import json_schema

__all__ = [
    "MAX_EDGES",
    "MAX_STEPS",
    "Edge",
    "Finding",
    "Params",
    "Ports",
    "Retry",
    "SegmentDefinition",
    "SegmentReading",
    "Severity",
    "Step",
    "content_hash",
    "json_schema",
    "read_segment",
]
