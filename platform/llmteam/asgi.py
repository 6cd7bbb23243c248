"""The ASGI application: HTTP through Django, WebSockets through Channels."""

import os
from typing import cast

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

from foundation.asgi import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")

http = cast("Application", get_asgi_application())  # typed more narrowly than what servers call

from django.conf import settings  # noqa: E402 - as below

from humantasks.inbox.consumers import InboxConsumer  # noqa: E402 - reads models, which Django must have loaded
from kernel.process_memory import limit_malloc_caching  # noqa: E402 - as below
from llmteam.api.bodies import measured_bodies  # noqa: E402 - as below
from llmteam.garbage_collection import freeze_loaded_code  # noqa: E402 - as below
from llmteam.health import check_parts  # noqa: E402 - as below
from llmteam.loopback import with_loopback_only  # noqa: E402 - as below
from llmteam.threads import with_request_threads  # noqa: E402 - reads models, which Django must have loaded
from llmteam.web.admission import with_admission  # noqa: E402 - as above
from llmteam.web.probes import with_probes  # noqa: E402 - as above
from llmteam.web.proxies import Networks, with_proxy_headers  # noqa: E402 - as above
from runs.events.routing import websockets  # noqa: E402 - as above
from runs.events.send_buffer import with_send_buffer  # noqa: E402 - as above

sockets = URLRouter([path("ws/v1/inbox/", InboxConsumer.as_asgi()), path("", websockets)])
router = ProtocolTypeRouter({"http": measured_bodies(http), "websocket": sockets})
limit_malloc_caching()
platform: Application = with_send_buffer(with_request_threads(with_admission(router)))
if settings.HAS_BUILT_IN_SECRET:
    platform = with_loopback_only(platform)
application = with_probes(with_proxy_headers(platform, Networks(settings.TRUSTED_PROXIES)), check_parts)
freeze_loaded_code()
