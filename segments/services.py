"""Changes of segments: save, create, archive."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from foundation.scope import tenant_scope
from kernel.errors import ErrorItem
from kernel.types import Json
from segments.catalog import ConnectionRef, StepType
from segments.definition import Finding, SegmentDefinition, content_hash
from segments.definition.config_refs import config_refs
from segments.errors import SegmentExists, SegmentInvalid, SegmentNotFound
from segments.known_names import known_names_of
from segments.models import Revision, Segment
from segments.pooled_validation import validate_pooled
from segments.preconditions import NOTHING_REQUIRED, Preconditions
from segments.selectors import catalog, etag_of, is_segment_id
from segments.versioned import SEGMENT, archive, find_or_add_version, lock_document, point_to
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class SavedSegment:
    """A segment after saving. ``created`` says whether its content is a new revision; ``findings`` do not block."""

    segment: Segment
    revision: Revision
    created: bool
    findings: tuple[Finding, ...]


def save_segment(
    *, tenant: Tenant, actor: str, segment_id: str, document: Json, preconditions: Preconditions = NOTHING_REQUIRED
) -> SavedSegment:
    """Make a definition the segment's current revision; the segment is created, or taken out of the archive.

    Equal content is the same revision: saving it again changes nothing, saving an earlier content moves the current
    pointer back. The segment's row is locked until the transaction ends, so revisions are numbered without gaps.

    Args:
        tenant: Owner.
        actor: For the audit.
        segment_id: Which segment; a definition that names none is given this id.
        document: The definition as the canvas wrote it.
        preconditions: What the present content must be.

    Raises:
        SegmentInvalid: The definition has errors, or names another segment.
        RevisionMismatch: The present content is another.
    """
    definition, findings = _read(document, segment_id, tenant)
    return _save(tenant, actor, definition, findings, preconditions)


def create_segment(*, tenant: Tenant, actor: str, document: Json) -> SavedSegment:
    """Save a definition under the id it names. Repeating it with the same content changes nothing.

    Raises:
        SegmentInvalid: The definition has errors, or names no segment.
        SegmentExists: There is a segment of this id with other content.
    """
    definition, findings = _read(document, None, tenant)
    with tenant_scope(tenant.id):
        present = Segment.objects.filter(segment_id=definition.segment_id).select_related("current_revision").first()
        if present is not None and etag_of(present) != _etag(definition):
            raise SegmentExists(
                f"The segment {definition.segment_id!r} exists with other content. PUT it to save a new revision.",
                extra={"segment_id": definition.segment_id},
            )
        return _save(tenant, actor, definition, findings)


def validate_inline(*, tenant: Tenant, document: Json, below: str = "") -> SegmentDefinition:
    """Judge a definition that a run brings along. May take a while, so it is never called in a transaction.

    Args:
        tenant: Whose turn it takes.
        document: The definition.
        below: JSON pointer to where it stands in the request, for error pointers.

    Raises:
        SegmentInvalid: The definition has errors.
    """
    validation = validate_pooled(tenant, document)
    if validation.segment is None or not validation.valid:
        raise SegmentInvalid.by(validation.findings, below=below)
    return validation.segment


def store_inline(*, tenant: Tenant, definition: SegmentDefinition) -> Revision:
    """Keep a definition that belongs to no segment, for a run that brings its own.

    Equal content of a tenant is one revision. To be called inside the tenant's scope, in the start's transaction.
    """
    revision, _ = Revision.objects.get_or_create(
        tenant=tenant,
        segment=None,
        content_hash=content_hash(definition),
        defaults=_contents(definition),
    )
    return revision


def archive_segment(
    *, tenant: Tenant, actor: str, segment_id: str, preconditions: Preconditions = NOTHING_REQUIRED
) -> None:
    """Take a segment out of lists and refuse new runs of it. Its runs and revisions stay; saving it brings it back.

    Repeating it changes nothing.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        RevisionMismatch: The present content is not what ``preconditions`` require.
    """
    if not is_segment_id(segment_id):
        raise SegmentNotFound
    with tenant_scope(tenant.id):
        if not archive(
            Segment.objects.filter(segment_id=segment_id), SEGMENT, actor=actor, preconditions=preconditions
        ):
            raise SegmentNotFound


def _read(document: Json, segment_id: str | None, tenant: Tenant) -> tuple[SegmentDefinition, tuple[Finding, ...]]:
    if segment_id is not None and isinstance(document, dict) and not {"segment_id", "workflow_id"} & document.keys():
        document = {"segment_id": segment_id, **document}
    validation = validate_pooled(tenant, document, known_names_of(tenant))
    if validation.segment is None or not validation.valid:
        raise SegmentInvalid.by(validation.findings)
    if segment_id is not None and validation.segment.segment_id != segment_id:
        detail = f"The definition is of {validation.segment.segment_id!r}, the address of {segment_id!r}."
        raise SegmentInvalid(
            detail, errors=[ErrorItem(code="SEGMENT_ID_MISMATCH", detail=detail, pointer="/segment_id")]
        )
    return validation.segment, validation.findings


def _save(
    tenant: Tenant,
    actor: str,
    definition: SegmentDefinition,
    findings: tuple[Finding, ...],
    preconditions: Preconditions = NOTHING_REQUIRED,
) -> SavedSegment:
    texts = {"name": definition.name[:200], "description": definition.description}
    with tenant_scope(tenant.id):
        segment = lock_document(Segment.objects.all(), SEGMENT, tenant=tenant, segment_id=definition.segment_id)
        preconditions.check(etag_of(segment))
        revision, created = find_or_add_version(
            segment, SEGMENT, digest=content_hash(definition), contents=partial(_contents, definition)
        )
        point_to(segment, SEGMENT, revision, actor=actor, **texts)
    return SavedSegment(segment, revision, created, findings)


def _contents(definition: SegmentDefinition) -> dict[str, Any]:
    """Give the fields of a revision that say what it is."""
    return {"definition": definition.to_dict(), "step_types": _step_types(definition)}


def _etag(definition: SegmentDefinition) -> str:
    return f'"{content_hash(definition)}"'


def _models(step_type: StepType, config: Mapping[str, Json]) -> set[str]:
    """Name the connection to a model that a step cannot do without: one with others to stand in for it is none."""
    named = [(mark, ref) for _, mark, ref in config_refs(step_type, config) if isinstance(mark, ConnectionRef)]
    refs = {ref for mark, ref in named if mark.kind == "llm"}
    return refs if len(refs) == 1 and not any("{{" in ref for ref in refs) else set()


def _step_types(definition: SegmentDefinition) -> dict[str, Json]:
    """Write down what the definition relies on: per type used its version, effect and ports."""
    known = catalog()
    used = {step.type: known[step.type] for step in definition.steps}
    models: dict[str, set[str]] = {}
    for step in definition.steps:
        models.setdefault(step.type, set()).update(_models(known[step.type], step.config))
    return {
        type_id: {
            **({"models": list[Json](sorted(models[type_id]))} if models[type_id] else {}),
            "version": step_type.version,
            "effect": step_type.effect.value,
            "inputs": [port.name for port in step_type.input_ports],
            "outputs": [port.name for port in step_type.output_ports],
        }
        for type_id, step_type in used.items()
    }
