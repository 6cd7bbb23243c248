"""Runs that ask models: connections to a stand-in, and segments of one step."""

from typing import Any

from examples.model_server import ModelServer
from runs.engine.host.host import Host
from runs.models import Run
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, wait_until_over
from tests.support.segments import segment, step


def connect_model(tenant: Tenant, server: ModelServer, ref: str = "default", **more: Any) -> None:
    """Give a tenant a connection to a model of the stand-in."""
    secret = more.pop("secret", "key")
    fields = {"kind": "llm", "provider": "openai", "base_url": f"{server.url}/v1", "model": "m-1", **more}
    save_connection(tenant=tenant, actor="system", ref=ref, spec=ConnectionSpec(**fields), secret=secret)


def ask_step(step_id: str = "ask", **config: Any) -> dict[str, Any]:
    return step(step_id, "llm_agent", **{"llm_ref": "default", **config})


def run_steps(tenant: Tenant, *steps: dict[str, Any], value: Any = "What now?", **more: Any) -> Run:
    """Run steps, one after the other unless edges are given, and give the run once it is over."""
    return run_segment(tenant, segment(*steps, **more), value)


def run_segment(tenant: Tenant, document: dict[str, Any], value: Any = "What now?") -> Run:
    run_id = queue_run(tenant, document, input=value)
    wait_until_over(run_id)
    return get_run(run_id)


def forget(host: Host) -> None:
    """What a host remembers is some seconds old; tests do not wait for that."""
    host._around.contexts.facts._known.clear()
    host._around.contexts.pricing._rates._known.clear()
    host._around.contexts.pricing._caps._known.clear()
