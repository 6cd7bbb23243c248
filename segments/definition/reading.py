"""Read a segment as canvases write it: lenient about spelling, strict about meaning, never raising."""

from dataclasses import dataclass

from kernel.types import Json
from kernel.values import ValueRefused, ValueTooLarge, check_size, normalise
from segments.definition.fields import MAX_PORT_NAME, Fields, kind_of, port_names
from segments.definition.findings import Finding, FindingPlace, Findings, shown
from segments.definition.foreign_exports import ForeignExport, foreign_export
from segments.definition.model import (
    CONTRACT_VERSION,
    MAX_EDGES,
    MAX_RUN_ACTIVATIONS,
    MAX_STEPS,
    Edge,
    Params,
    Ports,
    Retry,
    SegmentDefinition,
    Step,
)

MAX_SECONDS = 30 * 24 * 3600
ON_UNKNOWN = ("retry", "fail", "ask")
VERSION_SPELLINGS: tuple[Json, ...] = ("1.0.0", "1", 1)


@dataclass(frozen=True, slots=True)
class Draft:
    """As much of a segment as could be read, for rules that look for further findings.

    Required texts that are missing are empty; steps and edges that are no objects are left out, so each one's index
    in the document is kept beside it.
    """

    segment: SegmentDefinition
    step_indexes: tuple[int, ...]
    edge_indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SegmentReading:
    """Result of reading a document. ``segment`` is None after an error; ``draft`` when nothing could be read."""

    segment: SegmentDefinition | None
    findings: tuple[Finding, ...]
    draft: Draft | None


def read_segment(document: Json) -> SegmentReading:
    """Read a segment.

    Aliases found in the wild are read as what they stand for, each with an info finding. Unknown keys are kept with a
    warning. Takes time in proportion to the document's size, whatever is in it.

    Args:
        document: Any JSON value, also a wrong one.

    Returns:
        The segment and everything noticed on the way. Never raises.
    """
    findings = Findings()
    draft = read_draft(document, findings)
    segment = None if draft is None or findings.failed else draft.segment
    return SegmentReading(segment, findings.all(), draft)


def read_draft(document: Json, findings: Findings) -> Draft | None:
    """Read as much as can be read, collecting findings; None when no graph is there to be judged."""
    try:
        value = normalise(document)
        check_size(value)
    except (ValueRefused, ValueTooLarge) as refusal:
        _report_refusal(refusal, findings)
        return None
    export = foreign_export(value)
    if export is not None:
        _report_export(export, value, findings)
        return None
    if not isinstance(value, dict):
        findings.error("INVALID_TYPE", f"A segment is an object, not {kind_of(value)}.", FindingPlace())
        return None
    fields = Fields(value, FindingPlace(), findings)
    steps = _items(fields, "steps", MAX_STEPS)
    edges = _items(fields, "edges", MAX_EDGES)
    if steps is None or edges is None:
        return None
    return _read_segment(fields, steps, edges)


def _report_refusal(refusal: ValueRefused | ValueTooLarge, findings: Findings) -> None:
    if isinstance(refusal, ValueTooLarge):
        findings.error("TOO_LARGE", refusal.detail, FindingPlace())
        return
    for item in refusal.errors:
        code = "TOO_LARGE" if item.code == "TOO_DEEP" else "VALUE_REFUSED"
        path = [part.replace("~1", "/").replace("~0", "~") for part in (item.pointer or "").split("/")[1:]]
        findings.error(code, item.detail, FindingPlace(tuple(path)))


def _report_export(export: ForeignExport, value: Json, findings: Findings) -> None:
    looks = f"this looks like an export of {export.tool}. Nothing else was checked."
    if isinstance(value, dict):
        message = f"'steps' is missing: {looks}"
        findings.error("MISSING_FIELD", message, FindingPlace(("steps",)), hint=export.advice)
    else:
        message = f"A segment is an object, not {kind_of(value)}: {looks}"
        findings.error("INVALID_TYPE", message, FindingPlace(), hint=export.advice)


def _items(fields: Fields, key: str, limit: int) -> list[tuple[int, dict[str, Json]]] | None:
    """Read a list of objects with their indexes; None when it is so long that nothing else is looked at."""
    was_written = fields.has(key)
    items = fields.listing(key)
    if items is None:
        if key == "steps" and not was_written:
            fields.missing(key)
        return []
    if len(items) > limit:
        message = f"A segment has at most {limit} {key}; here are {len(items)}. Nothing else was checked."
        fields.findings.error("TOO_LARGE", message, fields.place.at(key))
        return None
    if not items and key == "steps":
        fields.findings.error("EMPTY_SEGMENT", "A segment has at least one step.", fields.place.at(key))
    found = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            found.append((index, item))
        else:
            message = f"An item of '{key}' is an object, not {kind_of(item)}."
            fields.findings.error("INVALID_TYPE", message, fields.place.at(key, index))
    return found


def _read_segment(
    fields: Fields, step_items: list[tuple[int, dict[str, Json]]], edge_items: list[tuple[int, dict[str, Json]]]
) -> Draft:
    segment_id = fields.required_text("segment_id", "workflow_id")
    steps = tuple(_read_step(item, index, fields.findings) for index, item in step_items)
    segment = SegmentDefinition(
        version=_read_version(fields),
        segment_id=segment_id,
        name=_read_name(fields, segment_id),
        description=fields.text("description") or "",
        entrypoint=_read_entrypoint(fields, steps),
        params=_read_params(fields.inner("params")),
        steps=steps,
        edges=tuple(_read_edge(item, index, fields.findings) for index, item in edge_items),
        metadata=fields.mapping("metadata") or {},
        input_schema=fields.mapping("input_schema"),
        output_schema=fields.mapping("output_schema"),
        extra=fields.rest(),
    )
    return Draft(segment, tuple(index for index, _ in step_items), tuple(index for index, _ in edge_items))


def _read_version(fields: Fields) -> str:
    version = fields.take("version")
    if version is None or version == CONTRACT_VERSION:
        return CONTRACT_VERSION
    place = fields.place.at("version")
    if not isinstance(version, bool) and version in VERSION_SPELLINGS:
        fields.findings.info("ALIAS_READ", f"This version is read as '{CONTRACT_VERSION}'.", place)
    elif isinstance(version, str):
        message = f"The contract's version is '{CONTRACT_VERSION}', not {shown(version)}."
        fields.findings.error("SCHEMA_VIOLATION", message, place)
    else:
        fields.wrong_type("version", f"the text '{CONTRACT_VERSION}'", version)
    return CONTRACT_VERSION


def _read_name(fields: Fields, segment_id: str) -> str:
    name = fields.text("name")
    if name:
        return name
    if segment_id:
        fields.findings.info("MISSING_FIELD", "'name' is missing; the segment's id is used.", fields.place.at("name"))
    else:
        fields.missing("name")
    return segment_id


def _read_entrypoint(fields: Fields, steps: tuple[Step, ...]) -> str:
    entrypoint = fields.text("entrypoint")
    if entrypoint:
        return entrypoint
    if not steps or not steps[0].step_id:
        return ""
    message = "'entrypoint' is missing; the first step is used."
    fields.findings.info("MISSING_ENTRYPOINT", message, fields.place.at("entrypoint"))
    return steps[0].step_id


def _read_params(fields: Fields | None) -> Params:
    if fields is None:
        return Params()
    default = Params()
    return Params(
        max_retries=fields.integer("max_retries", 0, 100, default=default.max_retries),
        timeout_seconds=fields.number("timeout_seconds", 0.001, MAX_SECONDS, default=default.timeout_seconds),
        parallel_execution=fields.flag("parallel_execution") or False,
        max_activations=fields.optional_integer("max_activations", 1, MAX_RUN_ACTIVATIONS),
        max_parallel_steps=fields.integer("max_parallel_steps", 1, MAX_STEPS, default=default.max_parallel_steps),
        extra=fields.rest(),
    )


def _read_step(item: dict[str, Json], index: int, findings: Findings) -> Step:
    step_id = item.get("step_id")
    place = FindingPlace(("steps", index), step_id=step_id if isinstance(step_id, str) and step_id else None)
    fields = Fields(item, place, findings)
    return Step(
        step_id=fields.required_text("step_id"),
        type=fields.required_text("type", "step_type"),
        name=fields.text("name") or "",
        config=fields.mapping("config") or {},
        ports=_read_ports(fields),
        position=_read_position(fields),
        ui=fields.mapping("ui"),
        retry=_read_retry(fields.inner("retry")),
        timeout_seconds=fields.optional_number("timeout_seconds", 0.001, MAX_SECONDS),
        on_unknown=fields.choice("on_unknown", ON_UNKNOWN),
        extra=fields.rest(),
    )


def _read_ports(fields: Fields) -> Ports:
    """Read ``ports``, or the lists some canvases write beside the step's other keys."""
    beside = {"input": fields.take("inputs"), "output": fields.take("outputs")}
    inner = fields.inner("ports") or Fields({}, fields.place.at("ports"), fields.findings)
    declared: dict[str, tuple[str, ...] | None] = {}
    for side, outer in beside.items():
        names = inner.take(side, f"{side}s")
        place = inner.place.at(side)
        if outer is not None:
            alias = fields.place.at(f"{side}s")
            if names is None:
                names = outer
                fields.findings.moved(place.path, alias.path)
                fields.findings.info("ALIAS_READ", f"'{side}s' is read as 'ports.{side}'.", alias)
            else:
                message = f"'{side}s' is ignored, because 'ports' says the same."
                fields.findings.warning("ALIAS_IGNORED", message, alias)
        declared[side] = port_names(names, place, fields.findings)
    return Ports(declared["input"], declared["output"], inner.rest())


def _read_position(fields: Fields) -> dict[str, Json] | None:
    position = fields.mapping("position")
    for axis in ("x", "y") if position else ():
        value = (position or {}).get(axis)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            message = f"'{axis}' must be a number, not {kind_of(value)}."
            fields.findings.error("INVALID_TYPE", message, fields.place.at("position", axis))
    return position


def _read_retry(fields: Fields | None) -> Retry | None:
    if fields is None:
        return None
    default = Retry()
    return Retry(
        max_attempts=fields.integer("max_attempts", 1, 100, default=default.max_attempts),
        initial_seconds=fields.number("initial_seconds", 0, 3600, default=default.initial_seconds),
        factor=fields.number("factor", 1, 100, default=default.factor),
        max_seconds=fields.number("max_seconds", 0, 24 * 3600, default=default.max_seconds),
        extra=fields.rest(),
    )


def _read_edge(item: dict[str, Json], index: int, findings: Findings) -> Edge:
    fields = Fields(item, FindingPlace(("edges", index), edge=index), findings)
    return Edge(
        source=fields.required_text("from", "from_step", "source_step", "source"),
        source_port=fields.text("from_port", "source_port", limit=MAX_PORT_NAME) or None,
        target=fields.required_text("to", "to_step", "target_step", "target"),
        target_port=fields.text("to_port", "target_port", limit=MAX_PORT_NAME) or None,
        condition=fields.text("condition") or None,
        extra=fields.rest(),
    )
