"""The platform's ASGI application, which also tells how many tasks its event loop has; for benchmarks."""

import asyncio
import json
import threading
from typing import Any

from llmteam.asgi import application as platform


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer ``/_count`` with the numbers of tasks and threads, and everything else as the platform does."""
    if scope["type"] == "http" and scope["path"] == "/_count":
        found = {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count()}
        body = json.dumps(found).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    else:
        await platform(scope, receive, send)
