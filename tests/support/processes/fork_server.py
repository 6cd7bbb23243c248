"""Forks programs of ours from a Python that has imported what all of them import: each would take 1.6 s for it.

Run as ``python -m tests.support.processes.fork_server DESCRIPTOR``; see `forked` for who asks it. A program starts as
with ``python -m``: in a process of its own, with the environment it was given and nothing else, its settings unread.
Only modules that need no settings are imported before: an import that asks for one ends the fork server.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
from typing import Any

BEFORE = """
    autobahn.twisted.websocket celery.apps.worker celery.bin.celery celery.worker.consumer channels.routing
    cryptography.hazmat.primitives.serialization.pkcs12 django.contrib.admin.sites django.contrib.postgres.fields
    django.core.handlers.asgi django.core.management django.forms django.template.loader django.views.debug
    httpx kombu.transport.redis limits.aio.strategies mozilla_django_oidc opentelemetry.sdk.metrics
    opentelemetry.sdk.trace OpenSSL.SSL prometheus_client psycopg_pool redis.asyncio requests rich.console
    service_identity twisted.internet.defer twisted.internet.endpoints twisted.web.http valkey.asyncio whitenoise yaml
    llmteam.api.parameters llmteam.health runs.agents.model_call runs.steps.registry segments.validation.context
"""
"""Nothing with an event loop: the reactor of Twisted is installed by the web process itself."""


def serve(asked: socket.socket) -> dict[str, Any] | None:
    """Answer until whoever asks is gone, and end what it started; in a new process, return what that is to run."""
    living = set[int]()
    with asked.makefile("rw") as lines:
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            if "module" in told:
                pid = os.fork()
                if pid == 0:
                    return told
                living.add(pid)
                found: int | None = pid
            else:
                ended, status = os.waitpid(told["wait"], os.WNOHANG)
                found = os.waitstatus_to_exitcode(status) if ended else None
                living.discard(ended)
            print(json.dumps({"number": told["number"], "found": found}), file=lines, flush=True)
    for pid in living:
        os.kill(pid, signal.SIGKILL)
    return None


def become(told: dict[str, Any]) -> None:
    """Take on what the new process was given."""
    os.environ.clear()
    os.environ.update(told["environment"])
    with open(os.devnull, "rb") as nothing, open(told["log"], "ab") as log:  # noqa: PTH123 - descriptors are meant
        for source, number in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source.fileno(), number)
    sys.argv = ["-m", *told["arguments"]]


if __name__ == "__main__":
    for name in BEFORE.split():
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork takes one thread along"
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        program = serve(connection)
    if program is not None:
        become(program)
        runpy.run_module(program["module"], run_name="__main__", alter_sys=True)
