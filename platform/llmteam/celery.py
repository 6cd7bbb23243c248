"""The Celery application. A message is a doorbell: it carries ids and may be lost, doubled or late."""

import atexit
import logging
import os
from typing import Any

import celery.apps.worker
from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
# Django's checks of routes and models load all that a web process has; a worker that takes over has no time for it.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("llmteam")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs", "tenants"])
# By name: the engine reads models, which cannot be imported before the worker has set Django up.
app.steps["worker"].add("runs.engine.host.bootstep:EngineStep")
app.steps["worker"].add("humantasks.mail.bootstep:MailStep")


@signals.celeryd_init.connect
def keep_the_log_in_json(instance: Any, **_: Any) -> None:
    """Have Celery print nothing past the log where that is JSON lines: no banner, no words of its signal handler."""
    from django.conf import settings  # noqa: PLC0415 - the settings are not ready before

    if settings.LOG_FORMAT == "json":
        instance.quiet = True
        setattr(celery.apps.worker, "safe_say", lambda *_: None)  # noqa: B010 - it has no type; the engine says that it stops


@signals.beat_init.connect
def log_scheduler(**_: Any) -> None:
    """Say that the scheduler is ready, and when it ends."""
    log = logging.getLogger("llmteam")
    log.info("scheduler is ready")
    atexit.register(log.info, "scheduler has stopped")
