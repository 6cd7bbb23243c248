"""The ASGI application: HTTP through Django."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")

django_application = get_asgi_application()

from llmteam.api.bodies import measured_bodies  # noqa: E402 - it needs the apps, which the line above loads

application = ProtocolTypeRouter({"http": measured_bodies(django_application)})
