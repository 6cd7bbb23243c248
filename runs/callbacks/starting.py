"""Callback of a start: checked, sealed, stored with the run."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.services import record
from audit.types import AuditObject
from kernel.egress import EgressBlocked, HeaderRefused, Target
from kernel.errors import ErrorItem
from runs.callbacks.address import check_address, check_own_headers, host_of
from runs.callbacks.sealing import Address, seal_address
from runs.core import EventType
from runs.errors import CallbackRefused
from runs.models import Delivery, Run, RunCallback
from tenants.callback_signing.secrets import ensure_callback_secret
from tenants.connections.egress_policy import egress_policy_of
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class CallbackSpec:
    """Callback that a caller asks for. ``runs_url`` is the address where that caller reads runs."""

    address: Address
    events: Sequence[str]
    runs_url: str


def check_callback(*, tenant: Tenant, spec: CallbackSpec, below: str = "/callback") -> Target:
    """Judge a callback by its text; what its name resolves to is judged at each delivery.

    Args:
        tenant: Whose.
        spec: Where it goes, with what.
        below: Where it stands in what was sent.

    Raises:
        CallbackRefused: It may not be called, or not with these headers.
    """
    try:
        target = check_address(spec.address.url, egress_policy_of(tenant))
    except EgressBlocked as error:
        raise _refused(error, f"{below}/url") from error
    try:
        check_own_headers(spec.address.headers)
    except HeaderRefused as error:
        raise _refused(error, f"{below}/headers") from error
    return target


def new_callback(*, tenant: Tenant, run: Run, spec: CallbackSpec) -> RunCallback:
    """Give a run that is not inserted yet a callback, whose row is to be inserted with it.

    Sees to it that the tenant has something to sign with.

    Raises:
        CallbackRefused: As for ``check_callback``.
    """
    target = check_callback(tenant=tenant, spec=spec)
    run.callback_events = list(spec.events)
    callback = RunCallback(run_id=run.id, tenant=tenant, host=host_of(target), runs_url=spec.runs_url)
    seal_address(callback, spec.address)
    sign_for(tenant)
    return callback


def sign_for(tenant: Tenant) -> None:
    """See to it that a tenant has something to sign with."""
    if ensure_callback_secret(tenant=tenant):
        record("callback_secret.created", AuditObject("callback_secret", str(tenant.id), tenant.id), actor="system")


def deliver_copied_start(run: Run) -> None:
    """Have a callback that wants to know of the start told of one that was copied into the run's journal."""
    if EventType.SEGMENT_STARTED in (run.callback_events or ()):
        Delivery.objects.create(
            tenant_id=run.tenant_id,
            run=run,
            seq=1,
            type=EventType.SEGMENT_STARTED,
            host=run.callback.host,
            url_hash=run.callback.url_hash,
        )


def _refused(error: EgressBlocked | HeaderRefused, pointer: str) -> CallbackRefused:
    sentence = error.explanation if isinstance(error, EgressBlocked) else error.detail
    return CallbackRefused(sentence, errors=[ErrorItem(code=error.code, detail=sentence, pointer=pointer)])
